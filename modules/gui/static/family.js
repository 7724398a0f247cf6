// Fields follow the kind of the chosen checkpoint (size, CFG, sampler …) where nobody set them.
import { setValues, valuesOf } from "./drafts.js";
import { refreshNotices } from "./notices.js";
import { address, t } from "./texts.js";
import { toast } from "./toast.js";

const TABS = ["txt2img", "img2img"];
const KEY = "atelier.family";
let first = null;

export const handlers = { checkpointChanged };

/** What the checkpoint suggests that was chosen when the page was opened. */
export function suggested() {
    first ??= ask().then((now) => {
        // A browser that has not been here before begins with this kind; another one keeps what it followed last.
        if (!followed()) remember(now);
        show(now);
        return now;
    });
    return first;
}

async function ask() {
    try {
        const answer = await fetch(address("internal/gui/family"));
        if (answer.ok) return await answer.json();
    } catch {
        // Nothing is suggested then.
    }
    return { family: "", values: {}, distilled: true, edits: true, apply: false };
}

async function checkpointChanged() {
    void refreshNotices();
    await suggested();
    const [before, now] = [followed(), await ask()];
    show(now);
    if (!now.family || before?.family === now.family) return;
    remember(now);
    if (!now.apply || !before) return;
    const told = new Set();
    for (const tab of TABS) {
        const fields = valuesOf(tab);
        // A field that says what the last kind suggested was not set by anybody.
        const follows = Object.entries(now.values).filter(([name, value]) => name in fields && fields[name] === before.values[name] && fields[name] !== value);
        if (!follows.length) continue;
        setValues(tab, Object.fromEntries(follows));
        follows.forEach(([, value]) => told.add(value));
    }
    if (told.size) toast(t("family_applied", { family: now.family, values: [...told].join(", ") }), "info", 8);
}

/** Fields that this kind has no use for are not shown. */
function show({ distilled, edits }) {
    document.body.dataset.distilled = distilled ? "yes" : "";
    document.body.dataset.edits = edits ? "yes" : "";
}

function followed() {
    try {
        return JSON.parse(localStorage.getItem(KEY));
    } catch {
        return null;
    }
}

function remember({ family, values }) {
    try {
        localStorage.setItem(KEY, JSON.stringify({ family, values }));
    } catch {
        // Without storage fields follow within this page only.
    }
}
