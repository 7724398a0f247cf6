// What was typed is kept by the server for this browser: a reload, a crash or a restart loses nothing. A copy stays
// here until the server has it, so that a server that is away loses nothing either.
import { suggested } from "./family.js";
import { address } from "./texts.js";

const SAVE_AFTER = 400;
// Gradio looks through its whole tree for every output that gets a value: a field that stays gets none (measured: a
// page of 500 fields took its time four times over).
const STAYS = { __type__: "update" };
const timers = {};
const names = {};
const values = {};
const wanted = {};
const loaded = new Set();
const unsaved = new Set();
const onServer = fetch(address("internal/gui/drafts"))
    .then((answer) => (answer.ok ? answer.json() : {}))
    .catch(() => ({}));

export const handlers = {
    saveDraft: (tab, order, ...now) => {
        if (!document.body.dataset.draft || !loaded.has(tab)) return;
        note(tab, order, now);
        unsaved.add(tab);
        clearTimeout(timers[tab]);
        timers[tab] = setTimeout(() => save(tab), SAVE_AFTER);
    },
    loadDraft: async (tab, order, ...first) => {
        const draft = newer((await onServer)[tab], here(tab));
        const fields = draft?.values ?? (await fresh());
        const now = order.map((name, index) => (name in fields ? fields[name] : first[index]));
        note(tab, order, now);
        // Only from here on: the fields' first values are not a draft.
        document.body.dataset.draft = "on";
        loaded.add(tab);
        return now.map((value, index) => (same(value, first[index]) ? STAYS : value));
    },
    /** The values that `setValues` asked for, beside those that stay. */
    takeValues: (tab, order, ...now) => {
        const taken = wanted[tab] ?? {};
        delete wanted[tab];
        return order.map((name, index) => (name in taken && !same(taken[name], now[index]) ? taken[name] : STAYS));
    },
};

/** Field -> value of `tab` as they are now. */
export const valuesOf = (tab) => Object.fromEntries((names[tab] ?? []).map((name, index) => [name, values[tab][index]]));

/** Fills fields of `tab`; names that it does not have are passed over. */
export function setValues(tab, some) {
    wanted[tab] = { ...wanted[tab], ...some };
    document.getElementById(`${tab}_take_values`)?.click();
}

function note(tab, order, now) {
    names[tab] = order;
    values[tab] = now;
}

/** To the server; `leaving`: the page goes away and nobody hears the answer. */
async function save(tab, leaving = false) {
    if (!document.body.dataset.draft || !unsaved.delete(tab)) return;
    const draft = JSON.stringify({ saved: Date.now(), values: valuesOf(tab) });
    store(tab, draft);
    try {
        const headers = { "Content-Type": "application/json" };
        const asked = fetch(address(`internal/gui/drafts/${tab}`), { method: "POST", headers, body: draft, keepalive: leaving });
        // What the server has need not stay here, unless it was written over meanwhile.
        if ((await asked).ok && stored(tab) === draft) store(tab, null);
    } catch {
        // The copy here is sent with the next change, or found by the next page.
    }
}

// The last words typed before a reload count, too.
addEventListener("pagehide", () => [...unsaved].forEach((tab) => void save(tab, true)));

const key = (tab) => `atelier.draft.${tab}`;

function store(tab, draft) {
    try {
        if (draft === null) localStorage.removeItem(key(tab));
        else localStorage.setItem(key(tab), draft);
    } catch {
        // No storage: the server alone keeps it.
    }
}

function stored(tab) {
    try {
        return localStorage.getItem(key(tab));
    } catch {
        return null;
    }
}

function here(tab) {
    try {
        return JSON.parse(stored(tab));
    } catch {
        return null;
    }
}

const same = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);
const newer = (one, other) => (!one || (other && other.saved > one.saved) ? other : one);

/** A first visit: what the chosen checkpoint is best drawn with. */
async function fresh() {
    return (await suggested()).values;
}
