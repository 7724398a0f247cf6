// The full-page viewer, with A1111's element ids: zoom, next and previous, tiles, save, compare, what made the picture.
import { Compare } from "./viewer_compare.js";
import { watchGamepad } from "./viewer_gamepad.js";
import { sheet } from "./sheets.js";
import { signButton } from "./signs.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";
import { Stage } from "./viewer_stage.js";

const TARGETS = { img2img: "picture", inpaint: "brush", extras: "expand" };
let viewer = null;

/** Shows `pictures` ({url, small?, infotext?, kind?, name?, drawn?}), first the one at `index`. `drawn`, {job, number},
 * is how one is deleted.
 *
 * source: {tab, choose(index), changed(index)} of the gallery they are from, whose buttons then save and send; without it,
 * `s` downloads.
 * before: the picture that img2img began with, for comparing. */
export async function openViewer(pictures, index, source = null, before = null) {
    await sheet("viewer.css");
    viewer ??= new Viewer();
    viewer.open(pictures, index, source, before);
}

/** A live preview of `tab` has come. */
export const showLive = (tab, url) => viewer?.live(tab, url);

class Viewer {
    constructor() {
        const { options } = window.atelierBoot;
        this.picture = element("img", { id: "modalImage", draggable: false });
        this.other = element("img", { className: "viewer-other", draggable: false, hidden: true });
        this.box = element("div", { className: "viewer-box" }, this.picture, this.other);
        this.tiles = element("div", { className: "viewer-tiles", hidden: true });
        this.frame = element("div", { className: "viewer-frame" }, this.box, this.tiles);
        this.controls = element("div", { id: "modalControls", className: "viewer-controls" }, this.count = element("span", { className: "viewer-count", role: "status" }));
        this.said = element("pre", { className: "viewer-text" });
        this.copy = element("button", { type: "button", className: "link" }, t("copy"));
        this.copy.onclick = () => this.copyText();
        this.panel = element("aside", { className: "viewer-panel", id: "modalInfo", hidden: true }, this.said, this.copy);
        this.strip = element("div", { className: "viewer-strip" });
        this.previous = signButton("back", t("viewer_previous"), () => this.go(-1), "viewer-side previous");
        this.previous.id = "modalPrev";
        this.next = signButton("on", t("viewer_next"), () => this.go(1), "viewer-side next");
        this.next.id = "modalNext";
        this.root = element("div", { id: "lightboxModal", className: "viewer", role: "dialog", ariaModal: "true", ariaLabel: t("viewer"), tabIndex: -1, hidden: true }, this.frame, this.previous, this.next, this.panel, this.controls, this.strip);
        this.stage = new Stage(this.frame, this.box, (way) => (way ? this.go(way) : this.close()));
        this.compare = new Compare(this);
        this.liveOn = Boolean(options.js_live_preview_in_modal_lightbox);
        this.buttons = {
            modal_zoom: this.tool("zoom", "viewer_zoom", () => this.fill()),
            modal_tile_image: this.tool("tile", "viewer_tile", () => this.tile()),
            modal_compare: this.tool("compare", "viewer_compare", () => this.compare.toggle()),
            modal_info: this.tool("info", "viewer_info", () => this.info()),
            modal_toggle_live_preview: this.tool("live", "viewer_live", () => this.toggleLive()),
            modal_save: this.tool("save", "viewer_save", () => this.save()),
            modal_delete: this.tool("bin", "viewer_delete", () => this.discard()),
        };
        this.send = Object.entries(TARGETS).map(([target, name]) => this.tool(name, `viewer_to_${target}`, () => this.sendTo(target)));
        this.shut = this.tool("close", "close", () => this.close());
        this.shut.classList.add("modalClose");
        for (const [id, button] of Object.entries(this.buttons)) button.id = id;
        this.controls.append(...Object.values(this.buttons), ...this.send, this.shut);
        // The focus may be nowhere, as after the slider has gone.
        document.addEventListener("keydown", (event) => this.root.hidden || this.key(event), true);
        this.frame.addEventListener("click", (event) => !this.stage.moved && !event.target.closest("input") && !this.hit(event) && this.close());
        this.frame.addEventListener("auxclick", (event) => event.button === 1 && window.open(this.picture.src));
        this.root.style.setProperty("--icons", options.sd_webui_modal_lightbox_icon_opacity);
        this.root.style.setProperty("--toolbar", options.sd_webui_modal_lightbox_toolbar_opacity);
        document.body.append(this.root);
        if (options.js_modal_lightbox_gamepad) watchGamepad((way) => !this.root.hidden && this.go(way), options.js_modal_lightbox_gamepad_repeat);
    }

    tool(name, words, work) {
        const button = signButton(name, t(words), work);
        button.ariaPressed = null;
        return button;
    }

    open(pictures, index, source, before) {
        Object.assign(this, { pictures, source, before });
        this.focused = document.activeElement;
        this.root.hidden = false;
        // What lies below takes no keys and no clicks; scripts may still press its buttons.
        document.querySelector("gradio-app").inert = true;
        document.documentElement.classList.add("viewing");
        for (const button of this.send) button.hidden = !source || !document.getElementById(`${source.tab}_send_to_img2img`);
        this.buttons.modal_toggle_live_preview.hidden = !source;
        this.press("modal_toggle_live_preview", this.liveOn);
        this.frame.classList.toggle("modalImageFullscreen", Boolean(window.atelierBoot.options.js_modal_lightbox_initially_zoomed));
        this.compare.end();
        this.list();
        this.show(index);
        this.root.focus();
    }

    /** The small pictures below. */
    list() {
        this.strip.replaceChildren(...this.pictures.map((one, place) => this.thumbnail(one, place)));
        this.strip.hidden = this.pictures.length < 2;
    }

    thumbnail(picture, place) {
        const button = element("button", { type: "button", ariaLabel: `${place + 1}` }, element("img", { src: picture.small ?? picture.url, loading: "lazy", alt: "" }));
        button.onclick = () => (this.compare.on ? this.compare.with(this.pictures[place]) : this.show(place));
        return button;
    }

    close() {
        this.root.hidden = true;
        this.compare.end();
        document.querySelector("gradio-app").inert = false;
        document.documentElement.classList.remove("viewing");
        this.focused?.focus?.({ preventScroll: true });
    }

    /** Whether a click was on the picture and not beside it. */
    hit({ clientX, clientY }) {
        const { naturalWidth: width, naturalHeight: height } = this.picture;
        const box = this.picture.getBoundingClientRect();
        const fills = this.frame.classList.contains("modalImageFullscreen");
        const scale = Math.min(box.width / width, box.height / height, fills ? Infinity : this.stage.scale);
        const far = (at, start, length, size) => Math.abs(at - start - length / 2) > (size * scale) / 2;
        return !far(clientX, box.left, box.width, width) && !far(clientY, box.top, box.height, height);
    }

    get shown() {
        return this.pictures[this.index];
    }

    show(index) {
        this.index = (index + this.pictures.length) % this.pictures.length;
        const { url, infotext } = this.shown;
        this.picture.src = url;
        this.picture.alt = (infotext ?? "").split("\n")[0];
        this.tiles.style.backgroundImage = `url(${JSON.stringify(url)})`;
        this.said.textContent = infotext || t("viewer_no_text");
        this.copy.hidden = !infotext;
        this.buttons.modal_delete.hidden = !this.shown.drawn;
        this.count.textContent = this.pictures.length > 1 ? `${this.index + 1} / ${this.pictures.length}` : "";
        this.previous.hidden = this.next.hidden = this.pictures.length < 2;
        this.stage.reset();
        this.compare.moved();
        [...this.strip.children].forEach((one, place) => (one.ariaCurrent = place === this.index ? "true" : null));
        this.strip.children[this.index]?.scrollIntoView({ block: "nearest", inline: "center" });
        this.source?.choose(this.index);
        // The neighbours are there before they are asked for.
        for (const way of [1, -1]) new Image().src = this.pictures[(this.index + way + this.pictures.length) % this.pictures.length].url;
    }

    go(way) {
        if (this.pictures.length > 1) this.show(this.index + way);
    }

    press(id, on) {
        this.buttons[id].ariaPressed = on ? "true" : "false";
    }

    fill() {
        this.stage.reset();
        this.press("modal_zoom", this.frame.classList.toggle("modalImageFullscreen"));
    }

    tile() {
        this.tiles.hidden = !this.tiles.hidden;
        this.press("modal_tile_image", !this.tiles.hidden);
    }

    info() {
        this.panel.hidden = !this.panel.hidden;
        this.press("modal_info", !this.panel.hidden);
    }

    async copyText() {
        await navigator.clipboard.writeText(this.shown.infotext);
        toast(t("copied"), "info", 2);
    }

    toggleLive() {
        this.liveOn = !this.liveOn;
        this.press("modal_toggle_live_preview", this.liveOn);
        if (!this.liveOn) this.picture.src = this.shown.url;
    }

    live(tab, url) {
        if (this.root.hidden || !this.liveOn || this.source?.tab !== tab) return;
        this.picture.src = url ?? this.shown.url;
    }

    save() {
        const button = this.source && document.getElementById(`save_${this.source.tab}`);
        if (button) return button.click();
        const name = this.shown.name ?? decodeURIComponent(new URL(this.shown.url).pathname.split("/").pop());
        element("a", { href: this.shown.url, download: /\.\w+$/.test(name) ? name : `${name}.png` }).click();
    }

    /** Into the trash with it; the next one is shown. */
    async discard() {
        const { shown, source } = this;
        if (!shown.drawn) return;
        const { discard } = await import("./discard.js");
        const at = this.pictures.indexOf(shown);
        if (!(await discard(shown.drawn, () => source?.changed?.(at)))) return;
        this.pictures.splice(at, 1);
        this.compare.end();
        if (!this.pictures.length) return this.close();
        this.list();
        this.show(Math.min(at, this.pictures.length - 1));
    }

    sendTo(target) {
        this.close();
        document.getElementById(`${this.source.tab}_send_to_${target}`)?.click();
    }

    key(event) {
        // Nothing of this is for the page below.
        event.stopPropagation();
        // The arrows move the slider of a comparison while it has the focus.
        const slides = event.target.matches("input") && event.key.startsWith("Arrow");
        if (event.ctrlKey || event.metaKey || event.altKey || slides) return;
        const work = {
            ArrowLeft: () => this.go(-1),
            a: () => this.go(-1),
            ArrowRight: () => this.go(1),
            d: () => this.go(1),
            Escape: () => this.close(),
            s: () => this.save(),
            i: () => this.info(),
            c: () => this.compare.toggle(),
            t: () => this.tile(),
            Delete: () => this.discard(),
            z: () => this.fill(),
            "+": () => this.stage.zoom(this.stage.scale * 1.4),
            "-": () => this.stage.zoom(this.stage.scale / 1.4),
            0: () => this.stage.reset(),
            Tab: () => this.cycle(event.shiftKey),
        }[event.key];
        if (!work) return;
        event.preventDefault();
        work();
    }

    /** Tab stays among the viewer's buttons. */
    cycle(back) {
        const stops = [...this.root.querySelectorAll("button, input")].filter((one) => one.offsetParent && !one.disabled);
        const at = stops.indexOf(document.activeElement);
        stops[(at + (back ? -1 : 1) + stops.length) % stops.length]?.focus();
    }
}
