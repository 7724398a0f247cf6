// The modes of img2img, and what concerns the picture of the open one.
import { watchAspect } from "./aspect.js";
import { upload } from "./upload.js";
import { placeOf } from "./canvas.js";
import { withPanels } from "./panels.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

// Canvas that shows the picture of a mode.
const CANVAS = { img2img: "image", sketch: "sketch", inpaint: "inpaint", inpaint_sketch: "inpaint_sketch", inpaint_upload: "inpaint_base" };
const SMALLEST = 64;
const LARGEST = 2048;
const KEY = "atelier.img2img.tabs";
const open = { mode: "img2img", resize: "to", ...stored() };
let restored = false;

export const handlers = {
    chooseTab: (which, name) => {
        if (restored) choose(which, name);
    },
    wantedTab: (which) => ({ __type__: "update", selected: open[which] }),
    readyImg2img,
    copyPicture,
    detectSize: (width, height) => {
        const image = current()?.image;
        if (!image) toast(t("no_source_picture"), "info");
        return image ? drawable(image) : [width, height];
    },
    scalePreview,
};

/** The size of `image`, smaller in proportion where a side is more than the fields take, in steps of theirs. */
export function drawable({ width, height }) {
    const shrink = Math.min(1, LARGEST / Math.max(width, height));
    return [width, height].map((side) => Math.max(SMALLEST, Math.round((side * shrink) / 8) * 8));
}

const current = () => placeOf(CANVAS[open.mode]);

function stored() {
    try {
        return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
        return {};
    }
}

function choose(which, name) {
    open[which] = name;
    const column = document.getElementById("img2img_settings");
    if (column) column.dataset[which] = name;
    try {
        localStorage.setItem(KEY, JSON.stringify(open));
    } catch {
        // No storage: the page begins with the first tabs next time.
    }
}

/** Opens the tab of a mode; the page may still be building it. */
export function openMode(mode, tries = 40) {
    choose("mode", mode);
    const button = document.getElementById("img2img_open_mode");
    if (button) button.click();
    else if (tries) setTimeout(openMode, 50, mode, tries - 1);
}

/** Called once the tab has been built: the tabs that were open last time are opened again. */
export function restoreTabs() {
    for (const which of ["resize", "mode"]) {
        choose(which, open[which]);
        document.getElementById(`img2img_open_${which}`)?.click();
    }
    document.getElementById("img2img_copy_label").textContent = t("copy_to");
    watchAspect(current);
    restored = true;
}

/** The values of all fields with what is on the screen at this moment: open tabs and the last stroke. */
async function readyImg2img(names, ...values) {
    const now = { mode: open.mode, resize_tab: open.resize };
    const place = current();
    if (place) now[CANVAS[open.mode]] = await place.flush();
    return withPanels("img2img", names, names.map((name, index) => (name in now ? now[name] : values[index])));
}

/** The picture of the open mode, with its paint where that is colour, for the canvas of `mode`. */
async function copyPicture(mode, ...values) {
    const [from, to] = [current(), CANVAS[mode]];
    const names = ["image", "sketch", "inpaint", "inpaint_sketch", "inpaint_base", "inpaint_mask"];
    const kept = values[names.indexOf(to)];
    if (!from?.image) {
        toast(t("no_source_picture"), "info");
        return kept;
    }
    openMode(mode);
    if (from === placeOf(to)) return kept;
    if (from.brush !== "colour") return { image: (await from.flush()).image, paint: null };
    return { image: await upload(await from.flattened(), "sketch.png"), paint: null };
}

function scalePreview(scale) {
    const line = document.querySelector("#img2img_scale_resolution_preview .hires-size");
    const image = current()?.image;
    if (!line) return;
    const scaled = (side) => Math.max(64, Math.floor(Math.floor(side * scale) / 8) * 8);
    line.textContent = image
        ? t("hires_size", { from: `${image.width} × ${image.height}`, to: `${scaled(image.width)} × ${scaled(image.height)}` })
        : "";
}

