const texts = window.atelierBoot.texts;

/** The text of `key` in the page's language, {names} filled in. A missing key shows itself. */
export function t(key, values = {}) {
    const text = texts[key];
    if (text === undefined) return `⟨${key}⟩`;
    return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** An element with text and children; strings become text, never HTML. */
export function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
}

/** "1:05" of 65 seconds. */
export function clock(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const minutes = Math.floor(whole / 60);
    const rest = String(whole % 60).padStart(2, "0");
    return minutes < 60
        ? `${minutes}:${rest}`
        : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** The address of one of our routes; the page may be served under a sub-path. */
export function address(path) {
    return new URL(path, document.baseURI);
}
