// The border between a tab's settings and its results can be moved; a double click puts it back.
import { element, t } from "./texts.js";

const LEAST = 320;
const STEP = 24;
const key = (tab) => `atelier.${tab}.columns`;

export function watchColumns(tab) {
    const [left, right] = ["settings", "results"].map((side) => document.getElementById(`${tab}_${side}`));
    if (!left || !right || left.querySelector(":scope > .column-border")) return;
    const border = element("div", { className: "column-border", role: "separator", tabIndex: 0, title: t("column_border"), ariaLabel: t("column_border"), ariaOrientation: "vertical", ariaValueMin: "0", ariaValueMax: "100", ariaValueNow: "50" });
    /** Gives the settings `width` pixels; none: half of the room, as it was made. */
    const give = (width) => {
        const room = left.parentElement.clientWidth;
        const wide = width && Math.max(LEAST, Math.min(width, room - LEAST));
        left.style.flex = wide ? `0 0 ${((100 * wide) / room).toFixed(2)}%` : "";
        border.ariaValueNow = wide ? ((100 * wide) / room).toFixed(0) : "50";
        remember(tab, left.style.flex);
    };
    border.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        border.setPointerCapture(event.pointerId);
        const move = ({ clientX }) => give(clientX - left.getBoundingClientRect().left);
        border.addEventListener("pointermove", move);
        border.addEventListener("pointerup", () => border.removeEventListener("pointermove", move), { once: true });
    });
    border.addEventListener("dblclick", () => give(0));
    border.addEventListener("keydown", (event) => {
        const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!way) return;
        event.preventDefault();
        event.stopPropagation();
        give(left.clientWidth + way * STEP);
    });
    left.append(border);
    left.style.flex = remembered(tab);
}

function remembered(tab) {
    try {
        return localStorage.getItem(key(tab)) ?? "";
    } catch {
        return "";
    }
}

function remember(tab, flex) {
    try {
        localStorage.setItem(key(tab), flex);
    } catch {
        // A browser without storage forgets it on reload.
    }
}
