// Opens the full-page viewer on a click on a gallery's picture; its code comes with the first one.
import { placeOf } from "./canvas.js";
import * as results from "./results.js";
import { t } from "./texts.js";

let viewer = null;

export function watchLightbox(tab) {
    const gallery = document.getElementById(`${tab}_gallery`);
    gallery.addEventListener("click", (event) => large(event) && window.atelierBoot.options.js_modal_lightbox && take(event, () => open(tab)), true);
    gallery.addEventListener("auxclick", (event) => {
        const image = event.button === 1 && event.target.closest("button")?.querySelector("img");
        if (image) take(event, () => window.open(image.src));
    });
}

document.addEventListener("atelier:preview", ({ detail: { tab, url } }) => viewer?.showLive(tab, url));
document.addEventListener("atelier:finished", ({ detail: { tab } }) => viewer?.showLive(tab, null));

/** Whether the click is on the picture shown large. */
const large = (event) => !event.button && event.target.closest(".media-button");

function take(event, work) {
    event.preventDefault();
    event.stopPropagation();
    work();
}

async function open(tab) {
    viewer = await import("./viewer.js");
    const gallery = document.getElementById(`${tab}_gallery`);
    const thumbnails = () => [...gallery.querySelectorAll(".thumbnail-item.thumbnail-small")];
    const choose = (index) => index !== results.selectedIndex(tab) && thumbnails()[index]?.click();
    const pictures = results.pictures(tab).map((one, index) => ({ ...one, drawn: results.drawn(tab, index) }));
    const changed = (index) => results.fetchResult(tab, results.chosen(tab).id, true, index);
    await viewer.openViewer(pictures, results.selectedIndex(tab), { tab, choose, changed }, tab === "img2img" ? input() : null);
}

/** The picture that img2img begins with; null if there is none. */
function input() {
    const image = placeOf("image")?.image;
    if (!image) return null;
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return { url: canvas.toDataURL(), name: t("viewer_input") };
}
