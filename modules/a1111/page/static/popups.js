// A dialog over the page, and menus of the right mouse button.
"use strict";

let globalPopup = null;
let globalPopupInner = null;

function closePopup() {
    if (globalPopup) globalPopup.style.display = "none";
}

function popup(contents) {
    if (!globalPopup) {
        globalPopup = Object.assign(document.createElement("div"), { className: "global-popup" });
        const close = Object.assign(document.createElement("button"), { className: "global-popup-close", type: "button", textContent: "×" });
        close.addEventListener("click", closePopup);
        globalPopupInner = Object.assign(document.createElement("div"), { className: "global-popup-inner" });
        globalPopup.append(close, globalPopupInner);
        globalPopup.addEventListener("click", (event) => event.target === globalPopup && closePopup());
        document.addEventListener("keydown", (event) => event.key === "Escape" && closePopup());
        (document.querySelector(".gradio-container") ?? document.body).append(globalPopup);
    }
    globalPopupInner.replaceChildren(contents);
    globalPopup.style.display = "flex";
}

const popupIdParents = {};

/** Shows an element of the page as a dialog; it goes back to its place when it is closed. */
function popupId(id) {
    const element = document.getElementById(id);
    popupIdParents[id] ??= element.parentElement;
    popup(element);
}

{
    const contextMenus = new Map();

    window.appendContextMenuOption = function (targetElementSelector, entryName, entryFunction) {
        const entry = { id: `context-${randomId()}`, name: entryName, func: entryFunction, isNew: true };
        if (!contextMenus.has(targetElementSelector)) contextMenus.set(targetElementSelector, []);
        contextMenus.get(targetElementSelector).push(entry);
        return entry.id;
    };

    window.removeContextMenuOption = function (id) {
        for (const [selector, entries] of contextMenus) contextMenus.set(selector, entries.filter((entry) => entry.id !== id));
    };

    addEventListener("click", () => document.getElementById("context-menu")?.remove());
    addEventListener("contextmenu", (event) => {
        document.getElementById("context-menu")?.remove();
        for (const [selector, entries] of contextMenus) {
            if (!entries.length || !event.target.closest?.(selector)) continue;
            event.preventDefault();
            const menu = Object.assign(document.createElement("nav"), { id: "context-menu" });
            const list = Object.assign(document.createElement("ul"), { className: "context-menu-items" });
            for (const entry of entries) {
                const item = Object.assign(document.createElement("li"), { textContent: entry.name });
                item.addEventListener("click", () => entry.func());
                list.append(item);
            }
            menu.append(list);
            menu.style.left = `${event.pageX}px`;
            menu.style.top = `${event.pageY}px`;
            document.body.append(menu);
            return;
        }
    });
}
