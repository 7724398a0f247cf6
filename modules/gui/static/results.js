// The gallery's words: which picture is chosen, its text below, its seed for the recycle button.
import { clock, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const shown = {};
const asked = {};
const quiet = {};
const places = {};

/** Asks the server for the pictures of job `id`. `silently`: no notes, as after a reload. The one at `index` is chosen. */
export function fetchResult(tab, id, silently = false, index = 0) {
    asked[tab] = id;
    quiet[id] = silently;
    places[tab] = index;
    document.getElementById(`${tab}_fetch`).click();
}

/** Whether `tab` shows pictures. */
export const filled = (tab) => Boolean(shown[tab]?.images.length);

/** Says that job `id`, which another page asked for, is done, and shows its pictures if that is wanted. */
export function offer(tab, id) {
    const log = document.getElementById(`html_log_${tab}`);
    log?.querySelector(".offer")?.remove();
    const show = element("button", { type: "button", className: "link" }, t("show_it"));
    show.onclick = () => fetchResult(tab, id);
    log?.append(element("p", { className: "offer", role: "status" }, t("other_ready"), " ", show));
}

export const wanted = (tab) => asked[tab] ?? "";

export function show(tab, outcome) {
    const result = JSON.parse(outcome);
    shown[tab] = result;
    document.getElementById(`${tab}_results`).dataset.filled = result.images.length ? "yes" : "";
    showText(tab);
    choose(tab, Math.min(places[tab] ?? 0, result.images.length - 1));
    const log = document.getElementById(`html_log_${tab}`);
    log?.replaceChildren(...(result.interrupted ? [element("span", {}, t("was_interrupted"))] : []), ...performance(result));
    const notes = quiet[result.id] || !result.gone ? result.notes : [...result.notes, result.gone];
    if (log) log.append(...notes.map((note) => element("p", { className: "note" }, note)));
    if (!quiet[result.id]) for (const note of notes) tell(note, "warning", 12);
}

/** How long it took and what memory it needed at most, as A1111 has it. */
function performance({ seconds, memory = {} }) {
    const said = (name, value, className = "") => element("span", { className, title: t(`memory_${name}_help`) }, t(`memory_${name}`, value));
    const time = seconds ? [element("span", { className: "time" }, t("took", { time: seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds) }))] : [];
    if (memory.ram) return [...time, said("ram", { size: gigabytes(memory.ram) }, "vram")];
    if (!memory.total) return time;
    const share = ((memory.system / memory.total) * 100).toFixed(1);
    const card = element("span", { className: "vram" }, said("active", { size: gigabytes(memory.active) }), ", ", said("reserved", { size: gigabytes(memory.reserved) }), ", ");
    card.append(said("system", { used: gigabytes(memory.system), total: gigabytes(memory.total), share }));
    return [...time, card];
}

const gigabytes = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GB`;

/** Chooses the picture at `index` once the gallery shows what it was given; the first one is chosen by itself. */
function choose(tab, index, tries = 50) {
    if (index < 1) return;
    const small = document.querySelectorAll(`#${tab}_gallery .thumbnail-item.thumbnail-small`);
    if (small.length === shown[tab].images.length) small[index].click();
    else if (tries) setTimeout(choose, 20, tab, index, tries - 1);
}

/** Index of the chosen picture: the one shown large, else the first. */
export function selectedIndex(tab) {
    const gallery = document.getElementById(`${tab}_gallery`);
    const small = [...(gallery?.querySelectorAll(".thumbnail-item.thumbnail-small") ?? [])];
    return Math.max(0, small.findIndex((one) => one.classList.contains("selected")));
}

/** What the server needs to know which picture is meant. */
export const chosen = (tab) => ({ id: shown[tab]?.id ?? "", index: selectedIndex(tab) });

/** {job, number} of the picture at `index` of the gallery of `tab`, the chosen one; null if there is none. */
export function drawn(tab, index = selectedIndex(tab)) {
    const image = shown[tab]?.images[index];
    return image ? { job: shown[tab].id, number: image.number } : null;
}

export const infotextOfSelected = (tab) => shown[tab]?.images[selectedIndex(tab)]?.infotext ?? "";

/** Where the file of the chosen picture is; null if there is none. */
export function addressOfSelected(tab) {
    const gallery = document.getElementById(`${tab}_gallery`);
    const image =
        gallery?.querySelector(".media-button img") ?? gallery?.querySelectorAll(".thumbnail-item img")[selectedIndex(tab)];
    return shown[tab]?.images.length ? image?.src ?? null : null;
}

/** The pictures that `tab` shows, each with the address of its file. */
export function pictures(tab) {
    const images = shown[tab]?.images ?? [];
    const thumbnails = [...document.querySelectorAll(`#${tab}_gallery .thumbnail-item.thumbnail-small img`)];
    // A single picture has no thumbnail.
    if (thumbnails.length !== images.length) return [{ ...images[selectedIndex(tab)], url: addressOfSelected(tab) }];
    return images.map((image, index) => ({ ...image, url: thumbnails[index].src }));
}

export function seedOfSelected(tab, name) {
    const images = shown[tab]?.images ?? [];
    // A grid has no seed of its own: its first picture's is meant.
    const chosen = images[selectedIndex(tab)];
    const image = chosen?.kind === "grid" ? images.find((one) => one.kind === "sample") : chosen;
    if (!image) toast(t("no_picture_yet"), "info");
    return image?.[name];
}

function showText(tab) {
    const place = document.getElementById(`html_info_${tab}`);
    const text = infotextOfSelected(tab);
    if (!place || place.dataset.text === text) return;
    place.dataset.text = text;
    place.replaceChildren(...paragraphs(text));
}

function paragraphs(text) {
    if (!text) return [];
    const lines = text.split("\n");
    const last = /(^|, )Steps: \d/.test(lines.at(-1)) ? lines.pop() : "";
    const negative = lines.findIndex((line) => line.startsWith("Negative prompt:"));
    const prompt = negative < 0 ? lines : lines.slice(0, negative);
    const copy = element("button", { type: "button", className: "link copy" }, t("copy"));
    copy.onclick = async () => {
        await navigator.clipboard.writeText(text);
        toast(t("copied"), "info", 2);
    };
    return [
        element("p", { className: "said" }, prompt.join("\n")),
        negative < 0 ? null : element("p", { className: "said negative" }, lines.slice(negative).join("\n")),
        element("p", { className: "parameters" }, last),
        copy,
    ].filter((part) => part && (part.textContent || part === copy));
}

/** Gradio moves the focus to a picture when it arrives: not while somebody types, and never by scrolling the page. */
function keepFocus(gallery) {
    const focus = HTMLElement.prototype.focus;
    HTMLElement.prototype.focus = function (options) {
        if (!gallery.contains(this)) return focus.call(this, options);
        if (!document.activeElement?.matches("input, textarea, select")) focus.call(this, { ...options, preventScroll: true });
    };
}

/** Keeps the text under the gallery with the chosen picture, however it was chosen. */
export function watchGallery(tab) {
    const gallery = document.getElementById(`${tab}_gallery`);
    let pending = 0;
    const later = () => (pending ||= requestAnimationFrame(() => ((pending = 0), showText(tab))));
    new MutationObserver(later).observe(gallery, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
    keepFocus(gallery);
    const { gallery_height: height } = window.atelierBoot.options;
    if (height) document.documentElement.style.setProperty("--gallery-height", height);
    const empty = document.getElementById(`${tab}_empty`);
    empty?.replaceChildren(element("p", {}, t("empty_gallery")));
}
