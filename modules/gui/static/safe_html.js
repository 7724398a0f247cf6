// Descriptions may be HTML, and come with models from the network: what formats text stays, what could act goes.

const KEPT = new Set(
    "A B BLOCKQUOTE BR CODE DD DEL DIV DL DT EM H1 H2 H3 H4 H5 H6 HR I LI OL P PRE S SMALL SPAN STRONG SUB SUP TABLE TBODY TD TH THEAD TR U UL".split(
        " ",
    ),
);
const TEXT = 3;
const ELEMENT = 1;

/** What stands in `source`, with text and its forms alone; links lead to web pages, in a tab of their own. */
export function safeHtml(source) {
    const result = document.createDocumentFragment();
    // What a template holds runs nothing and fetches nothing.
    const parsed = document.createElement("template");
    parsed.innerHTML = source;
    copy(parsed.content, result);
    return result;
}

function copy(from, to) {
    for (const child of from.childNodes) {
        if (child.nodeType === TEXT) to.append(child.data);
        if (child.nodeType !== ELEMENT || !KEPT.has(child.nodeName)) continue;
        const made = document.createElement(child.nodeName);
        if (child.nodeName === "A" && /^https?:\/\//i.test(child.getAttribute("href") ?? "")) {
            Object.assign(made, { href: child.getAttribute("href"), target: "_blank", rel: "noopener noreferrer" });
        }
        copy(child, made);
        to.append(made);
    }
}
