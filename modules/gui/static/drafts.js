// What was typed stays in this browser: a reload, a crash or a restarted server loses nothing.
const SAVE_AFTER = 300;
const timers = {};
const loaded = new Set();
const unsaved = {};

export const handlers = {
    saveDraft: (tab, names, ...values) => {
        if (!document.body.dataset.draft || !loaded.has(tab)) return;
        clearTimeout(timers[tab]);
        unsaved[tab] = () => save(tab, names, values);
        timers[tab] = setTimeout(() => flush(tab), SAVE_AFTER);
    },
    loadDraft: (tab, names, ...values) => {
        const draft = load(tab) ?? fresh();
        // Only from here on: the fields' first values are not a draft.
        document.body.dataset.draft = "on";
        loaded.add(tab);
        return names.map((name, index) => (name in draft ? draft[name] : values[index]));
    },
};

function flush(tab) {
    if (document.body.dataset.draft) unsaved[tab]?.();
    delete unsaved[tab];
}

// The last words typed before a reload count, too.
addEventListener("pagehide", () => Object.keys(unsaved).forEach(flush));

function save(tab, names, values) {
    try {
        localStorage.setItem(`atelier.${tab}.draft`, JSON.stringify(Object.fromEntries(names.map((name, index) => [name, values[index]]))));
    } catch {
        // No storage: nothing to do, the page works without.
    }
}

function load(tab) {
    try {
        return JSON.parse(localStorage.getItem(`atelier.${tab}.draft`));
    } catch {
        return null;
    }
}

/** A first visit: the size that the chosen checkpoint was trained for. */
function fresh() {
    const [width, height] = window.atelierBoot.native_size ?? [];
    return width ? { width, height } : {};
}
