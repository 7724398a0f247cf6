// On a phone the tabs are one line that scrolls: the chosen one is brought into view, whoever chose it.
export function watchTabStrips() {
    new MutationObserver((changes) => {
        for (const { target } of changes) if (target.ariaSelected === "true" && target.role === "tab") show(target);
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
}

function show(tab) {
    const strip = tab.closest("[role=tablist]");
    if (!strip || strip.scrollWidth <= strip.clientWidth) return;
    const [inside, outside] = [tab.getBoundingClientRect(), strip.getBoundingClientRect()];
    strip.scrollBy({ left: (inside.left + inside.right - outside.left - outside.right) / 2 });
}
