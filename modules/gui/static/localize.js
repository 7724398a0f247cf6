// A1111's translations: every English text of the page that the chosen file knows is replaced, also what comes later.
import { address } from "./texts.js";

const SKIPPED = "textarea, input, script, style, code, pre, [contenteditable=true], .infotext, .runlog, .cards-pane, .token-counter, ul.options";
const ATTRIBUTES = ["title", "placeholder", "aria-label"];
// Numbers, signs and emoji have no translation.
const WORDS = /\p{L}/u;

export async function localize() {
    const answer = await fetch(address("internal/gui/localization"));
    if (!answer.ok) return;
    const texts = await answer.json();
    if (texts.rtl) document.documentElement.dir = "rtl";
    const replace = (node) => {
        const text = node.data.trim();
        const said = WORDS.test(text) && texts[text];
        if (said && typeof said === "string" && said !== text) node.data = node.data.replace(text, said);
    };
    const visit = (root) => {
        if (root.nodeType === Node.TEXT_NODE) return root.parentElement?.closest(SKIPPED) ? undefined : replace(root);
        if (root.nodeType !== Node.ELEMENT_NODE) return undefined;
        for (const element of [root, ...root.querySelectorAll("[title], [placeholder], [aria-label]")]) {
            for (const name of ATTRIBUTES) {
                const said = texts[element.getAttribute(name)?.trim()];
                if (typeof said === "string") element.setAttribute(name, said);
            }
        }
        if (root.closest(SKIPPED)) return undefined;
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) if (!walker.currentNode.parentElement.closest(SKIPPED)) replace(walker.currentNode);
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
