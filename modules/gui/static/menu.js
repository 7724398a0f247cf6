// A small menu at the pointer.
import { element } from "./texts.js";

let open = null;

/** Shows `entries` ([words, work]) where `event` happened; Esc and a click elsewhere close it. */
export function openMenu(event, entries) {
    open?.remove();
    const menu = element("div", { id: "context-menu", className: "context-menu", role: "menu" });
    for (const [words, work] of entries) {
        const entry = element("button", { type: "button", role: "menuitem" }, words);
        entry.onclick = () => (close(), work());
        menu.append(entry);
    }
    document.body.append(menu);
    const { width, height } = menu.getBoundingClientRect();
    const box = event.target.getBoundingClientRect();
    // Asked for by the keyboard, it has no place of its own.
    const [x, y] = event.clientX || event.clientY ? [event.clientX, event.clientY] : [box.left, box.bottom];
    menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
    menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
    open = menu;
    menu.firstChild.focus();
    const close = () => {
        menu.remove();
        removeEventListener("pointerdown", outside, true);
        event.target.focus?.({ preventScroll: true });
    };
    const outside = ({ target }) => menu.contains(target) || close();
    addEventListener("pointerdown", outside, true);
    menu.onkeydown = (pressed) => {
        const way = { ArrowDown: 1, ArrowUp: -1 }[pressed.key];
        if (pressed.key === "Escape" || pressed.key === "Tab") close();
        else if (way) {
            const all = [...menu.children];
            all[(all.indexOf(document.activeElement) + way + all.length) % all.length].focus();
        } else return;
        pressed.preventDefault();
        pressed.stopPropagation();
    };
}
