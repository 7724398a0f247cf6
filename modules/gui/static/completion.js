// Suggestions below the cursor of a prompt. The server finds them; nothing is asked before somebody types.
import { PROMPTS, sheet } from "./prompt.js";
import { rewrite } from "./prompt_text.js";
import { address, element, t } from "./texts.js";

const ASK_AFTER = 90;
const REMEMBERED = 200;
// Only so much of a prompt is sent; the server looks at the last word.
const SENT = 300;

/** One list for the page: it belongs to the box in which is typed. */
export class Completion {
    constructor() {
        this.box = null;
        this.items = [];
        this.chosen = -1;
        this.known = new Map();
        this.list = element("ul", { className: "suggestions", id: "prompt_suggestions", role: "listbox", hidden: true });
        this.list.setAttribute("aria-label", t("suggestions"));
        // Before the box loses the focus: a tap chooses, and the keyboard of a phone stays.
        this.list.addEventListener("pointerdown", (event) => event.pointerType === "mouse" && event.preventDefault());
        this.list.addEventListener("mousedown", (event) => event.preventDefault());
        this.list.addEventListener("click", ({ target }) => {
            const row = target.closest("[role=option]");
            if (row) this.accept(Number(row.dataset.index));
        });
        document.addEventListener("focusin", ({ target }) => (target.matches(PROMPTS) ? this.take(target) : this.close()));
        document.addEventListener("focusout", ({ target }) => target === this.box && this.close());
        document.addEventListener("input", (event) => this.typed(event));
        document.addEventListener("compositionend", (event) => this.typed(event));
        document.addEventListener("selectionchange", () => this.shown && this.box?.selectionStart !== this.at && this.close());
        document.addEventListener("keydown", (event) => this.key(event), true);
        addEventListener("scroll", ({ target }) => target !== this.list && this.shown && this.place(), true);
        addEventListener("resize", () => this.close());
    }

    get shown() {
        return !this.list.hidden;
    }

    async take(box) {
        this.box = box;
        if (this.ready || !this.wanted()) return;
        this.ready = true;
        await sheet("completion.css");
        document.body.append(this.list);
        // The server reads its lists now and not at the first letter.
        fetch(address("internal/prompt/suggestions?before=")).catch(() => null);
    }

    /** Not where it is switched off, nor where the extension that does the same is at work. */
    wanted() {
        return window.atelierBoot.options.prompt_completion && !document.querySelector(".autocompleteParent, .autocompleteResults");
    }

    typed(event) {
        if (event.target !== this.box || event.isComposing) return;
        clearTimeout(this.timer);
        const typing = event.inputType?.startsWith("insert") || event.inputType?.startsWith("delete") || event.type === "compositionend";
        // What a script wrote is no question; what a suggestion wrote neither.
        if (!typing || this.writing || !this.wanted()) return this.close();
        this.timer = setTimeout(() => this.ask(), ASK_AFTER);
    }

    async ask() {
        const { box } = this;
        const at = box.selectionStart;
        if (document.activeElement !== box || at !== box.selectionEnd || /\w/.test(box.value[at] ?? "")) return this.close();
        const before = box.value.slice(0, at).slice(-SENT);
        const found = await this.found(before);
        if (box !== this.box || box.selectionStart !== at || document.activeElement !== box) return;
        const replaced = before.slice(before.length - (found?.length ?? 0));
        this.items = (found?.items ?? []).filter((item) => item.text !== replaced || found.items.length > 1);
        if (!this.items.length) return this.close();
        [this.at, this.length, this.chosen] = [at, found.length, -1];
        this.draw();
    }

    async found(before) {
        if (!before.trim()) return null;
        if (this.known.has(before)) return this.known.get(before);
        this.asking?.abort();
        this.asking = new AbortController();
        try {
            const url = address(`internal/prompt/suggestions?before=${encodeURIComponent(before)}`);
            const answer = await fetch(url, { signal: this.asking.signal });
            if (!answer.ok) return null;
            const found = await answer.json();
            if (this.known.size > REMEMBERED) this.known.clear();
            if (found.items.length) this.known.set(before, found);
            return found;
        } catch {
            // Overtaken by the next letter, or no server: no suggestions.
            return null;
        }
    }

    draw() {
        this.list.replaceChildren(...this.items.map((item, index) => this.row(item, index)));
        this.list.hidden = false;
        this.box.setAttribute("aria-controls", this.list.id);
        this.box.setAttribute("aria-expanded", "true");
        this.place();
    }

    row(item, index) {
        const count = item.count >= 1e6 ? `${(item.count / 1e6).toFixed(1)}M` : item.count >= 1000 ? `${Math.round(item.count / 1000)}k` : item.count || "";
        const other = item.alias ? element("span", { className: "suggestion-alias" }, item.kind === "tag" ? `← ${item.alias}` : item.alias) : null;
        const row = element(
            "li",
            { id: `prompt_suggestion_${index}`, className: `suggestion ${item.kind} type-${item.type}` },
            element("span", { className: "suggestion-label" }, item.label),
            other,
            element("span", { className: "suggestion-count" }, item.kind === "tag" ? `${count}` : kinds()[item.kind]),
        );
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", "false");
        row.dataset.index = index;
        return row;
    }

    /** Below the line of the cursor; above it where there is no room. */
    place() {
        const { left, top, bottom } = caret(this.box, this.at - this.length);
        const { width, height } = this.list.getBoundingClientRect();
        const below = bottom + 4;
        const room = visualViewport?.height ?? innerHeight;
        this.list.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
        this.list.style.top = `${below + height <= room || top < height + 12 ? below : top - height - 4}px`;
    }

    /** Arrows choose, Tab takes the chosen or the first, Enter only the chosen, Esc goes away. */
    key(event) {
        if (!this.shown || event.target !== this.box || event.isComposing || event.keyCode === 229) return;
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const { key } = event;
        if (key === "ArrowDown" || key === "ArrowUp") this.choose(this.chosen + (key === "ArrowDown" ? 1 : -1));
        else if (key === "Tab" && !event.shiftKey) this.accept(Math.max(0, this.chosen));
        else if (key === "Enter" && !event.shiftKey && this.chosen >= 0) this.accept(this.chosen);
        else if (key === "Escape") this.close();
        else return;
        event.preventDefault();
        event.stopImmediatePropagation();
    }

    choose(index) {
        const count = this.items.length;
        this.list.children[this.chosen]?.setAttribute("aria-selected", "false");
        // One step past either end is nothing chosen: the text as typed.
        this.chosen = index < -1 ? count - 1 : index >= count ? -1 : index;
        const row = this.list.children[this.chosen];
        row?.setAttribute("aria-selected", "true");
        row?.scrollIntoView({ block: "nearest" });
        if (row) this.box.setAttribute("aria-activedescendant", row.id);
        else this.box.removeAttribute("aria-activedescendant");
    }

    accept(index) {
        const item = this.items[index];
        const { value } = this.box;
        const [before, after] = [value.slice(0, this.at - this.length), value.slice(this.at)];
        const comma = item.kind !== "wildcard" && window.atelierBoot.options.prompt_completion_comma && !/^\s*[,:)\]}|>]/.test(after);
        const piece = item.text + (comma ? ", " : "");
        this.close();
        this.writing = true;
        rewrite(this.box, before + piece + (comma ? after.replace(/^ +/, "") : after), before.length + piece.length);
        this.writing = false;
    }

    close() {
        clearTimeout(this.timer);
        if (!this.shown) return;
        this.list.hidden = true;
        for (const name of ["aria-controls", "aria-expanded", "aria-activedescendant"]) this.box?.removeAttribute(name);
    }
}

const kinds = () => ({
    lora: "LoRA",
    hypernetwork: t("suggestion_hypernetwork"),
    embedding: t("suggestion_embedding"),
    wildcard: t("suggestion_wildcard"),
    style: t("suggestion_style"),
});

// What decides where letters stand in a box.
const SHAPE = ["font", "letterSpacing", "wordSpacing", "tabSize", "textIndent", "lineHeight", "padding", "border", "boxSizing"];

/** Where the letter `at` of `box` stands in the window: { left, top, bottom }. */
function caret(box, at) {
    const style = getComputedStyle(box);
    const mirror = element("div", { className: "suggestions-mirror" });
    for (const name of SHAPE) mirror.style[name] = style[name];
    mirror.style.width = `${box.offsetWidth}px`;
    const mark = element("span", {}, "\u200b");
    mirror.append(box.value.slice(0, at), mark);
    document.body.append(mirror);
    const [frame, outer, spot] = [box.getBoundingClientRect(), mirror.getBoundingClientRect(), mark.getBoundingClientRect()];
    mirror.remove();
    const top = Math.min(frame.bottom, Math.max(frame.top, frame.top + spot.top - outer.top - box.scrollTop));
    return { left: frame.left + spot.left - outer.left, top, bottom: Math.min(frame.bottom, top + spot.height) };
}
