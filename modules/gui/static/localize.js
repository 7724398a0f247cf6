// Texts that have no key here, replaced where they stand: those of A1111's translations, which go by the English text,
// and what Gradio and the built-in scripts say of themselves.
import { address } from "./texts.js";

// What people wrote, and names of files.
const SKIPPED =
    "textarea, input, script, style, code, pre, [contenteditable=true], .infotext, .runlog, .token-counter, ul.options," +
    ".card, .folder-button, .library-grid, .library-side, .queue-list, .extensions-name, .extensions-facts";
const ATTRIBUTES = ["title", "placeholder", "aria-label"];
// Numbers, signs and emoji have no translation.
const WORDS = /\p{L}/u;
const PLACE = "{}";

/** A file of translations for A1111, chosen in the settings. */
export async function localize() {
    const texts = await asked("localization");
    if (texts.rtl) document.documentElement.dir = "rtl";
    replaceTexts(texts);
}

/** Gradio's own labels anywhere, and the built-in scripts in their places. */
export async function localizeOthers() {
    const { gradio = {}, scripts = {} } = await asked("other_words");
    replaceTexts(gradio);
    replaceTexts(scripts, "[id$=_script_container]");
}

async function asked(path) {
    const answer = await fetch(address(`internal/gui/${path}`));
    return answer.ok ? answer.json() : {};
}

/** Replaces texts that stand in `texts`, now and whenever they come; only inside of `within`, where that is given. */
function replaceTexts(texts, within = "") {
    const patterns = Object.entries(texts)
        .filter(([english]) => english.includes(PLACE))
        .map(([english, text]) => [...english.split(PLACE), text]);
    const said = (text) => {
        if (!text || !WORDS.test(text)) return undefined;
        if (Object.hasOwn(texts, text)) return typeof texts[text] === "string" ? texts[text] : undefined;
        const pattern = patterns.find(([before, after]) => text.startsWith(before) && text.endsWith(after));
        if (!pattern) return undefined;
        const [before, after, whole] = pattern;
        return whole.replace(PLACE, () => text.slice(before.length, text.length - after.length));
    };
    const outside = (element) => Boolean(within) && !element.closest(within);
    const replace = (node) => {
        const [text, parent] = [node.data.trim(), node.parentElement];
        const told = said(text);
        if (!told || told === text || !parent || parent.closest(SKIPPED) || outside(parent)) return;
        node.data = node.data.replace(text, () => told);
    };
    const visit = (root) => {
        if (root.nodeType === Node.TEXT_NODE) return replace(root);
        if (root.nodeType !== Node.ELEMENT_NODE) return undefined;
        for (const element of [root, ...root.querySelectorAll("[title], [placeholder], [aria-label]")]) {
            for (const name of ATTRIBUTES) {
                const told = said(element.getAttribute(name)?.trim());
                if (told && !outside(element)) element.setAttribute(name, told);
            }
        }
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) replace(walker.currentNode);
        return undefined;
    };
    new MutationObserver((changes) => {
        for (const { type, target, addedNodes } of changes) {
            if (type === "characterData") visit(target);
            else addedNodes.forEach(visit);
        }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    visit(document.body);
}
