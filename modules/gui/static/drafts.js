// What was typed is kept by the server for this browser: a reload, a crash or a restart loses nothing. A copy stays
// here until the server has it, so that a server that is away loses nothing either.
//
// Gradio walks its whole tree for each target of an event and for each value that it hands over (measured: a change
// event on every one of 380 fields cost the page a second at its start and a tenth of one with each key). So nothing
// is bound to the fields: the page is watched, and asks for all values of a tab once, when it has been quiet.
import { suggested } from "./family.js";
import { address } from "./texts.js";

const QUIET = 400;
const ANSWERED = 150;
const PRESSED = 50;
const STAYS = { __type__: "update" };
// Components whose value can be read off their box while it is typed.
const PLAIN = { textbox: (box) => box.value, number: toNumber, slider: toNumber, checkbox: (box) => box.checked };
const FROM_GRADIO = /\/gradio_api\/(run|queue|upload)/;
// Tab -> {timer, due, soon}: when its values are asked for next.
const timers = {};
// Tab -> {order: names, values: name -> value, saved: the text that the server has, loaded: whether its draft is in}.
const tabs = {};
// Element id -> the field in it that can be read while it is typed.
const plain = {};
const wanted = {};
// Tab -> what is called when its wanted values are on their way into the fields.
const taking = {};
const unsaved = new Set();
const onServer = fetch(address("internal/gui/drafts"))
    .then((answer) => (answer.ok ? answer.json() : {}))
    .catch(() => ({}));

export const handlers = {
    openDrafts,
    saveDraft: (tab, order, ...now) => {
        clearTimeout(timers[tab]?.timer);
        delete timers[tab];
        note(tab, Object.fromEntries(order.map((name, index) => [name, now[index]])));
        void save(tab);
    },
    /** The values that `setValues` asked for, beside those that stay. */
    takeValues: (tab, order) => {
        const taken = wanted[tab] ?? {};
        delete wanted[tab];
        taking[tab]?.();
        // What was typed a moment ago is not noted yet: then everything is set.
        const known = tab in timers ? {} : tabs[tab].values;
        const given = order.map((name) => (name in taken && !(name in known && same(taken[name], known[name])) ? taken[name] : STAYS));
        order.filter((name) => name in taken).forEach((name) => (tabs[tab].values[name] = taken[name]));
        watch(tab, ANSWERED);
        return given;
    },
};

/** Field -> value of `tab` as they are now. */
export const valuesOf = (tab) => ({ ...tabs[tab]?.values });

/** Fills fields of `tab`; names that it does not have are passed over. */
export function setValues(tab, some) {
    wanted[tab] = { ...wanted[tab], ...some };
    document.getElementById(`${tab}_take_values`)?.click();
}

/** The page is there. `fields`: tab -> field -> id of its component, in the order in which events hand values over. */
async function openDrafts(fields) {
    const components = new Map(window.gradio_config.components.map((one) => [one.id, one]));
    for (const [tab, ids] of Object.entries(fields)) {
        const values = {};
        for (const [name, id] of Object.entries(ids)) {
            const { type, props } = components.get(id) ?? {};
            values[name] = props?.value ?? null;
            if (type in PLAIN && props.elem_id) plain[props.elem_id] = { tab, name, read: PLAIN[type] };
        }
        tabs[tab] = { order: Object.keys(ids), values, saved: "", loaded: false };
    }
    const drafts = await onServer;
    const first = await Promise.all(Object.keys(tabs).map(async (tab) => newer(drafts[tab], here(tab))?.values ?? (await fresh(tab))));
    await Promise.all(Object.keys(tabs).map((tab, index) => load(tab, first[index])));
    // Only from here on: the fields' first values are not a draft.
    document.body.dataset.draft = "on";
    watchPage();
}

async function load(tab, draft) {
    const differs = Object.entries(draft).filter(([name, value]) => name in tabs[tab].values && !same(value, tabs[tab].values[name]));
    if (differs.length) {
        const taken = new Promise((done) => (taking[tab] = done));
        setValues(tab, Object.fromEntries(differs));
        await taken;
        await new Promise((done) => setTimeout(done));
    }
    tabs[tab].saved = JSON.stringify(tabs[tab].values);
    tabs[tab].loaded = true;
}

function watchPage() {
    // A canvas tells of its value itself: it draws on without events of Gradio's.
    for (const kind of ["input", "click", "focusout", "drop", "atelier:value"])
        document.addEventListener(
            kind,
            ({ target }) => {
                const tab = tabAround(target);
                if (!tab) return;
                if (kind === "input") read(target);
                watch(tab, kind === "input" ? QUIET : PRESSED);
            },
            true,
        );
    // What the server answered may have filled fields of the tab that is looked at now.
    new PerformanceObserver((list) => {
        const tab = list.getEntries().some(({ name }) => FROM_GRADIO.test(name)) && Object.keys(tabs).find(shown);
        if (tab) watch(tab, ANSWERED);
    }).observe({ type: "resource" });
    // The last words typed before a reload count, too.
    addEventListener("pagehide", () => {
        Object.keys(timers).forEach((tab) => note(tab, tabs[tab].values));
        [...unsaved].forEach((tab) => void save(tab, true));
    });
}

/** Asks for the values of `tab` once it has been quiet for `after` ms; what is due soon is not put off by typing. */
function watch(tab, after) {
    if (!tabs[tab].loaded) return;
    const due = performance.now() + after;
    const next = timers[tab];
    if (next && next.due <= due && next.soon) return;
    clearTimeout(next?.timer);
    const ask = () => {
        // A press from now on may come too late for the values that are on their way.
        timers[tab].soon = false;
        document.getElementById(`${tab}_note_draft`)?.click();
    };
    timers[tab] = { due, soon: after < QUIET, timer: setTimeout(ask, after) };
}

const tabAround = (element) => Object.keys(tabs).find((tab) => element.closest?.(`#tab_${tab}`));
const shown = (tab) => document.getElementById(`tab_${tab}`)?.checkVisibility();

/** What stands in a box while it is typed into. */
function read(box) {
    const field = plain[box.closest("[id]:not(input, textarea)")?.id];
    if (field) tabs[field.tab].values[field.name] = field.read(box);
}

function toNumber(box) {
    return box.value === "" ? null : Number(box.value);
}

function note(tab, values) {
    tabs[tab].values = values;
    if (!document.body.dataset.draft || !tabs[tab].loaded) return;
    if (JSON.stringify(values) !== tabs[tab].saved) unsaved.add(tab);
}

/** To the server; `leaving`: the page goes away and nobody hears the answer. */
async function save(tab, leaving = false) {
    if (!document.body.dataset.draft || !unsaved.delete(tab)) return;
    tabs[tab].saved = JSON.stringify(tabs[tab].values);
    const draft = JSON.stringify({ saved: Date.now(), values: tabs[tab].values });
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
async function fresh(tab) {
    return tab === "txt2img" || tab === "img2img" ? (await suggested()).values : {};
}
