import { toast } from "./toast.js";

// The boxes that take a prompt, of all tabs and parts. What they can do comes with the first one that is used.
export const PROMPTS = "[id*='_prompt'] textarea:not([readonly], [disabled])";

let box = null;

/** The box's code; loaded once. */
export const promptBox = () => (box ??= import("./prompt_box.js"));

export function watchPrompts() {
    const wake = ({ target }) => target.matches?.(PROMPTS) && promptBox();
    document.addEventListener("focusin", wake);
    document.addEventListener("dragenter", wake);
    document.addEventListener("click", ({ target }) => showBracket(target.closest?.(".token-counter.unbalanced")));
    document.addEventListener("keydown", ({ key, target }) => key === "Enter" && showBracket(target.closest?.(".token-counter.unbalanced")));
}

/** Selects the bracket that the counter complains about, and says what is wrong with it. */
function showBracket(counter) {
    if (!counter) return;
    toast(counter.title, "warning", 8);
    const box = counter.closest(".prompt-row")?.querySelector("textarea");
    const at = Number(counter.dataset.at);
    if (!box || !counter.dataset.at) return;
    box.focus();
    box.setSelectionRange(at, at + 1);
}

/** Adds a style sheet of ours that only some part of the page needs. */
export function sheet(name) {
    const href = new URL(name, import.meta.url).href;
    if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    return new Promise((done) => {
        link.onload = link.onerror = done;
        document.head.append(link);
    });
}

/** The prompt of `tab`, or its negative one. */
export const promptOf = (tab, negative = false) =>
    document.querySelector(`#${tab}_${negative ? "neg_prompt" : "prompt"} textarea`);

export const handlers = {
    clearPrompts: async (tab) => {
        const { rewrite } = await import("./prompt_text.js");
        for (const box of [promptOf(tab, true), promptOf(tab)]) rewrite(box, "");
        return ["", ""];
    },
    editStyles: async (tab) => (await import("./styles.js")).openStyles(tab),
};
