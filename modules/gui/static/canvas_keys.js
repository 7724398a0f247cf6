// Which keys do what on a canvas, as the settings say.
import { t } from "./texts.js";

const HELD = { Shift: "shiftKey", Ctrl: "ctrlKey", Alt: "altKey" };
// What a letter does -> what the setting about unwanted functions calls it.
const LETTERS = {
    shrink_brush: "Hotkey shrink brush",
    grow_brush: "Hotkey enlarge brush",
    move: "Moving canvas",
    fullscreen: "Fullscreen",
    reset: "Reset Zoom",
};
const options = () => window.atelierBoot.options;
const wanted = (name) => !options().canvas_disabled_functions.includes(name);
const letter = (what) => (wanted(LETTERS[what]) ? String(options()[`canvas_hotkey_${what}`]).toLowerCase() : "");

/** Whether the wheel of `event` zooms, or changes the brush. */
export const zooms = (event) => wanted("Zoom") && event[HELD[options().canvas_hotkey_zoom]];
export const sizes = (event) => wanted("Adjust brush size") && event[HELD[options().canvas_hotkey_adjust]];

/** Whether one of the `keys` that are held down moves the picture. */
export const moves = (keys) => keys.has(" ") || (letter("move") !== "" && keys.has(letter("move")));

/** What the letter `key` does: "shrink_brush", "grow_brush", "fullscreen", "reset"; undefined for nothing. */
export const meant = (key) => Object.keys(LETTERS).find((what) => letter(what) === key);

/** The keys in words, a line each; "" if they are not to be shown. */
export function keysInWords() {
    if (!options().canvas_show_tooltip) return "";
    const { canvas_hotkey_zoom: zoom, canvas_hotkey_adjust: adjust } = options();
    const wheels = [wanted("Zoom") && t("canvas_key_zoom", { key: zoom }), wanted("Adjust brush size") && t("canvas_key_adjust", { key: adjust })];
    const letters = Object.keys(LETTERS).map((what) => letter(what) && t(`canvas_key_${what}`, { key: letter(what).toUpperCase() }));
    return [...wheels, ...letters].filter(Boolean).join("\n");
}
