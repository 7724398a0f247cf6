// What keys make of a prompt, as in A1111: weights of words and networks, and the order of what stands between commas.
// Text and places in, text and places out; `rewrite` alone touches the page.
const PAIRS = ["<>", "()", "[]"];
const BLANKS = { Tab: "\t", "Carriage Return": "\r", "Line Feed": "\n" };
// One pair of brackets without a number, as in prompts of old.
const BRACKET = 1.1;

/** Ctrl+Up (`up`) or Ctrl+Down with `from`..`to` selected: { text, start, end }, or null where nothing has a weight. */
export function weighed(text, from, to, up, options) {
    if (from === to) [from, to] = blockAround(text, from) ?? wordAround(text, from, delimitersOf(options));
    const found = weightOf(text, from, to, options);
    if (!found) return null;
    const { outer, words, close, step } = found;
    const weight = Number((found.weight + (up ? step : -step)).toPrecision(12));
    const inner = text.slice(...words);
    const bare = close === ")" && weight === 1;
    const number = Number.isInteger(weight) ? `${weight}.0` : `${weight}`;
    const open = bare ? "" : close === ">" ? "<" : "(";
    const end = bare ? "" : `:${number}${close === ">" ? "" : ")"}`;
    const start = outer[0] + open.length;
    return {
        text: `${text.slice(0, outer[0])}${open}${inner}${end}${text.slice(outer[1])}`,
        start,
        end: start + inner.length,
    };
}

/** Alt+Left (`by` -1) or Alt+Right (1): the elements that `from`..`to` touches, moved past their neighbour. */
export function moved(text, from, to, by) {
    const items = text.split(",");
    const first = text.slice(0, from).split(",").length - 1;
    const last = text.slice(0, to).split(",").length - 1;
    if (by < 0 ? first === 0 : last === items.length - 1) return null;
    const taken = items.splice(first, last - first + 1);
    items.splice(first + by, 0, ...taken);
    const before = items.slice(0, first + by).join(",");
    const start = before.length + (first + by > 0 ? 1 : 0);
    return { text: items.join(","), start, end: start + taken.join(",").length };
}

function delimitersOf(options) {
    const blanks = (options.keyedit_delimiters_whitespace ?? []).map((name) => BLANKS[name] ?? "");
    return options.keyedit_delimiters + blanks.join("");
}

const escaped = (text, at) => (text.slice(0, at).match(/\\*$/)[0].length & 1) === 1;

/** The inside of the innermost brackets around `at`, less their weight; null outside of all. */
function blockAround(text, at) {
    for (const [open, close] of PAIRS) {
        let [from, to] = [at - 1, at];
        const stands = (place, sign) => text[place] === sign && !escaped(text, place);
        while (from >= 0 && !stands(from, open) && !stands(from, close)) from--;
        while (to < text.length && !stands(to, open) && !stands(to, close)) to++;
        if (from < 0 || text[from] !== open || text[to] !== close) continue;
        const inside = text.slice(from + 1, to);
        const named = open === "<" ? inside.match(/^[^:]+:[^:]+(?=:-?[\d.]+)/)?.[0] : inside.match(/^.*(?=:-?[\d.]+\s*$)/s)?.[0];
        return [from + 1, from + 1 + (named ?? inside).length];
    }
    return null;
}

function wordAround(text, at, delimiters) {
    let [from, to] = [at, at];
    while (from > 0 && !delimiters.includes(text[from - 1])) from--;
    while (to < text.length && !delimiters.includes(text[to])) to++;
    while (from < to && text[from] === " ") from++;
    while (to > from && text[to - 1] === " ") to--;
    return [from, to];
}

/** What stands at the selection: { outer: all that is written anew, words, weight, close, step }. */
function weightOf(text, from, to, { keyedit_precision_attention: step, keyedit_precision_extra: extra }) {
    const before = from > 0 && !escaped(text, from - 1) ? text[from - 1] : "";
    const after = text[to];
    const said = text.slice(to).match(/^:(-?[\d.]+)/);
    if (before === "<") {
        return said && { outer: [from - 1, to + said[0].length], words: [from, to], weight: parseFloat(said[1]), close: ">", step: extra };
    }
    if (before && ["()", "[]"].includes(before + after)) {
        let depth = 1;
        while (text[from - depth - 1] === before && text[to + depth] === after) depth++;
        const power = BRACKET ** (before === "(" ? depth : -depth);
        // The number that is written is a multiple of the step.
        return { outer: [from - depth, to + depth], words: [from, to], weight: Math.round(power / step) * step, close: ")", step };
    }
    if (before === "(") {
        const closed = said && text.slice(to + said[0].length).match(/^\s*\)/);
        return closed && { outer: [from - 1, to + said[0].length + closed[0].length], words: [from, to], weight: parseFloat(said[1]), close: ")", step };
    }
    while (to > from && text[to - 1] === " ") to--;
    return from === to ? null : { outer: [from, to], words: [from, to], weight: 1, close: ")", step };
}

/** Makes `text` the text of `box`, with start..end selected, as if typed: Ctrl+Z takes it back, Gradio hears of it. */
export function rewrite(box, text, start = text.length, end = start) {
    const before = box.value;
    if (before === text) return box.setSelectionRange(start, end);
    const least = Math.min(before.length, text.length);
    let [head, tail] = [0, 0];
    while (head < least && before[head] === text[head]) head++;
    // Not between the halves of an emoji.
    if (head && /[\uD800-\uDBFF]/.test(text[head - 1])) head--;
    while (tail < least - head && before.at(-1 - tail) === text.at(-1 - tail)) tail++;
    if (tail && /[\uDC00-\uDFFF]/.test(text.at(-tail))) tail--;
    const piece = text.slice(head, text.length - tail);
    // A phone would bring up its keyboard.
    const typed = document.activeElement === box || !matchMedia("(pointer: coarse)").matches;
    if (typed) {
        box.focus({ preventScroll: true });
        box.setSelectionRange(head, before.length - tail);
        // Deprecated, yet the only way that keeps the browser's own undo.
        document.execCommand(piece ? "insertText" : "delete", false, piece);
    }
    if (box.value !== text) {
        box.setRangeText(text, 0, box.value.length);
        box.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (typed) box.setSelectionRange(start, end);
}
