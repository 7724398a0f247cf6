// While width or height move, a frame on the picture of the open mode shows what of it the new proportions take.
import { element } from "./texts.js";

const SHOWN_MS = 1500;
const SIDES = ["img2img_width", "img2img_height"];
let frame = null;
let timer = 0;

/** Follows the two fields by hand; `place()` gives the canvas of the open mode, or nothing. */
export function watchAspect(place) {
    const fields = SIDES.map((id) => `#${id}`).join();
    document.getElementById("img2img_settings")?.addEventListener("input", ({ target, isTrusted }) => {
        if (isTrusted && target.closest(fields)) show(place());
    });
}

function show(place) {
    const [width, height] = SIDES.map((id) => Number(document.querySelector(`#${id} input[type=number]`)?.value));
    if (!place?.image || !(width > 0) || !(height > 0)) return;
    frame ??= element("div", { id: "imageARPreview", ariaHidden: "true" });
    const { view, box } = place;
    if (frame.parentElement !== box) box.append(frame);
    const [picture, tall] = [place.image.width * view.scale, place.image.height * view.scale];
    const scale = Math.min(picture / width, tall / height);
    const [wide, high] = [width * scale, height * scale];
    Object.assign(frame.style, {
        left: `${view.screen.offsetLeft + view.x + (picture - wide) / 2}px`,
        top: `${view.screen.offsetTop + view.y + (tall - high) / 2}px`,
        width: `${wide}px`,
        height: `${high}px`,
    });
    frame.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => (frame.hidden = true), SHOWN_MS);
}
