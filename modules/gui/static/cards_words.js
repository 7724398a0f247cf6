// What a click on a card does to a prompt. A card's words are a tag, `<lora:name:1>`, and what follows it; or only words.
const TAG = /^<([^:>]+):([^:>]+)(?::[^>]*)?>\s*(.*)$/s;

const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** A pattern for the tag that `words` begin with, whatever its weight; null if they are none. */
function tagIn(words) {
    const found = words.match(TAG);
    return found && new RegExp(`<${literal(found[1])}:${literal(found[2])}(?::[^>]*)?>`);
}

const wordsIn = (words) => new RegExp(`(^|[\\s,(|[])${literal(words)}(?=$|[\\s,.):|\\]])`);

/** Whether the tag or words of a card stand in `text`. */
export function isIn(text, words) {
    return Boolean(words) && (tagIn(words) ?? wordsIn(words)).test(text);
}

/** `text` with the `words` of a card at its end after `separator`, or without them if they stand there. */
export function toggled(text, words, separator) {
    if (!isIn(text, words)) return text ? text + separator + words : words;
    const tag = tagIn(words);
    if (!tag) return text.replace(new RegExp(`(,\\s*|\\s+)?${wordsIn(words).source}`), "").replace(/^[,\s]+/, "");
    const after = words.match(TAG)[3];
    let left = text.replace(new RegExp(`\\s?${tag.source}`), "");
    // What came with the tag goes with it.
    if (after) left = left.replace(new RegExp(`(,\\s*|\\s+)?${literal(after)}`), "");
    return left.replace(/^[,\s]+/, "");
}
