// Ctrl+Enter generates, Alt+Enter skips, Esc interrupts: A1111's keys.
export function watchKeys(tab) {
    const press = (name) => document.getElementById(`${tab}_${name}`)?.click();
    const running = () => Boolean(document.body.dataset.job);
    document.addEventListener("keydown", (event) => {
        if (!document.getElementById(`tab_${tab}`)?.offsetParent) return;
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) press("generate");
        else if (event.key === "Enter" && event.altKey && running()) press("skip");
        else if (event.key === "Escape" && running() && !popup()) press("interrupt");
        else return;
        event.preventDefault();
    });
}

// An open list or a picture over the page closes on Esc; that must not stop the work as well.
const popup = () =>
    document.fullscreenElement || document.querySelector("ul.options, dialog[open], .canvas.expanded, .viewer:not([hidden]), .context-menu") || document.activeElement?.closest("[role=listbox]");
