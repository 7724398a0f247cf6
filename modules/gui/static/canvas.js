// The canvas: one picture, and for some modes a brush over it. The server gets the picture's own file and the paint as
// a PNG of the same size (modules/gui/canvas.py is the other half).
import { Hands } from "./canvas_input.js";
import { keysInWords } from "./canvas_keys.js";
import { Paint } from "./canvas_paint.js";
import { View } from "./canvas_view.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";
import { canvasValue, download, upload } from "./upload.js";
import { signButton } from "./signs.js";

const SEND_AFTER = 500;
const OPACITY = { mask: 0.6, colour: 1 };
const places = {};

/** Called by each canvas when the page first shows it. */
export function openCanvas({ element: root, props, watch }) {
    places[props.name] = new Place(root, props, watch);
}

/** The canvas of that name, if the page has shown it yet. */
export const placeOf = (name) => places[name];

class Place {
    constructor(root, props, watch) {
        this.root = root;
        this.props = props;
        this.brush = props.brush;
        this.colour = props.colour;
        this.opacity = OPACITY[this.brush] ?? 1;
        this.size = 40;
        this.erasing = false;
        this.expanded = false;
        this.image = null;
        this.paint = null;
        this.value = null;
        this.pointer = null;
        this.timer = 0;
        this.sending = Promise.resolve();
        this.unsent = false;
        this.build();
        this.hands = new Hands(this);
        watch("value", () => this.follow());
        this.follow();
    }

    build() {
        const box = this.root.querySelector(".canvas") ?? this.root.appendChild(element("div", { className: "canvas" }));
        this.box = box;
        box.style.setProperty("--canvas-height", `${this.props.height}px`);
        const screen = element("canvas", { className: "canvas-screen" });
        this.view = new View(screen, () => this.layers(), () => this.ring());
        this.input = element("input", { type: "file", accept: "image/*", hidden: true });
        this.input.onchange = () => this.input.files[0] && this.load(this.input.files[0]);
        const hint = this.props.holds === "mask" ? t("canvas_drop_mask") : t("canvas_drop");
        this.empty = element("button", { type: "button", className: "canvas-empty" }, hint);
        this.empty.onclick = () => this.input.click();
        this.tools = element("div", { className: "canvas-tools", role: "toolbar" });
        box.replaceChildren(this.tools, screen, this.empty, this.input);
        this.buildTools();
        box.addEventListener("dragover", (event) => event.preventDefault());
        box.addEventListener("drop", (event) => this.drop(event));
        this.show();
    }

    buildTools() {
        const tool = (icon, title, act) => {
            const made = element("button", { type: "button", className: `canvas-tool icon-${icon}`, title, ariaLabel: title });
            made.onclick = act;
            return made;
        };
        const painting = this.brush !== "none";
        this.brushTool = tool("brush", t("canvas_brush"), () => this.setErasing(false));
        this.eraserTool = tool("eraser", t("canvas_eraser"), () => this.setErasing(true));
        this.sizeBox = slider(t("canvas_size"), 1, 400, 1, this.size, (value) => this.setSize(value));
        this.opacityBox = slider(t("canvas_opacity"), 0, 1, 0.05, this.opacity, (value) => this.setOpacity(value));
        this.colourBox = element("input", { type: "color", value: this.colour, title: t("canvas_colour"), ariaLabel: t("canvas_colour") });
        this.colourBox.oninput = () => {
            this.colour = this.colourBox.value;
            this.setErasing(false);
        };
        this.undoTool = tool("undo", t("canvas_undo"), () => this.undo());
        this.redoTool = tool("redo", t("canvas_redo"), () => this.redo());
        const strokes = [
            this.brushTool,
            this.eraserTool,
            this.brush === "colour" ? this.colourBox : null,
            this.sizeBox,
            this.opacityBox,
            this.undoTool,
            this.redoTool,
            tool("clear", t("canvas_clear"), () => this.clear()),
        ];
        this.tools.append(
            ...(painting ? strokes.filter(Boolean) : []),
            element("span", { className: "canvas-gap" }),
            this.keysTool(),
            tool("fit", t("canvas_fit"), () => this.view.fit()),
            tool("expand", t("canvas_expand"), () => this.expand(!this.expanded)),
            tool("close", t("canvas_remove"), () => this.remove()),
        );
        this.setErasing(false);
    }

    /** A sign that lists the keys when it is pointed at or pressed; an empty one if they are not to be shown. */
    keysTool() {
        const words = keysInWords();
        const made = signButton("info", words, () => toast(keysInWords(), "info", 12), "canvas-keys");
        made.hidden = !words;
        return made;
    }

    /** Takes the picture in `file`, with nothing painted. */
    async load(file) {
        try {
            const image = await createImageBitmap(file).catch(() => {
                throw new Error(t("canvas_no_picture", { name: file.name || file.type }));
            });
            this.open(image);
            this.unsent = false;
            this.set({ image: await upload(file, file.name || "picture.png"), paint: null });
        } catch (error) {
            toast(error.message, "error");
        }
    }

    open(image) {
        this.image?.close();
        this.image = image;
        this.paint = image && new Paint(image.width, image.height);
        this.show();
        if (!image) return;
        this.box.style.setProperty("--aspect", `${image.width} / ${image.height}`);
        this.setSize(Math.max(4, Math.round(Math.min(image.width, image.height) / 14)));
        this.view.open(image.width, image.height);
    }

    remove() {
        this.expand(false);
        this.open(null);
        this.unsent = false;
        this.input.value = "";
        this.set(null);
    }

    /** The server, a draft or another canvas put something here. */
    async follow() {
        const value = this.props.value || null;
        if (JSON.stringify(value) === JSON.stringify(this.value)) return;
        this.value = value;
        this.tellValue();
        this.unsent = false;
        if (!value?.image) return this.open(null);
        try {
            const image = await createImageBitmap(await download(value.image));
            const painted = value.paint ? await createImageBitmap(await download(value.paint)) : null;
            if (this.value !== value) return;
            this.open(image);
            if (painted) this.paint.restore(painted);
            this.view.draw();
        } catch {
            // A draft of a picture that was cleared away since: an empty canvas says enough.
            if (this.value === value) this.remove();
        }
    }

    set(value) {
        this.value = value;
        this.props.value = value;
        this.tellValue();
    }

    /** For the draft, which is not bound to any component. */
    tellValue() {
        this.box.dispatchEvent(new CustomEvent("atelier:value", { bubbles: true }));
    }

    async drop(event) {
        event.preventDefault();
        event.stopPropagation();
        const file = [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
        if (file) return this.load(file);
        const url = event.dataTransfer.getData("text/uri-list").split("\n")[0];
        if (!url) return;
        try {
            this.props.value = await canvasValue(url);
            await this.follow();
        } catch (error) {
            toast(error.message, "error");
        }
    }

    // Painting

    startStroke(erase) {
        this.paint.begin();
        this.ink = erase || this.erasing ? null : this.colour;
    }

    stroke(from, to) {
        this.paint.line(from, to, this.size / 2, this.ink);
        this.view.draw();
    }

    endStroke() {
        if (this.paint.end()) this.changed();
    }

    dropStroke() {
        this.paint.drop();
        this.view.draw();
    }

    undo() {
        if (this.paint?.undo()) this.changed();
    }

    redo() {
        if (this.paint?.redo()) this.changed();
    }

    clear() {
        if (this.paint?.clear()) this.changed();
    }

    changed() {
        this.unsent = true;
        this.undoTool.disabled = !this.paint.done.length;
        this.redoTool.disabled = !this.paint.undone.length;
        this.view.draw();
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.flush().catch((error) => toast(error.message, "error")), SEND_AFTER);
    }

    /** Sends what was painted since the last time; returns the value with it. Raises: Error if that fails. */
    flush() {
        clearTimeout(this.timer);
        this.sending = this.sending.catch(() => {}).then(() => this.send());
        return this.sending;
    }

    async send() {
        while (this.unsent && this.value) {
            this.unsent = false;
            const { image } = this.value;
            try {
                const paint = this.paint.empty ? null : await upload(await this.paint.file(), "paint.png");
                if (this.value?.image === image) this.set({ image, paint });
            } catch (error) {
                this.unsent = true;
                throw error;
            }
        }
        return this.value;
    }

    /** The picture as it is seen, with its paint, as a file. */
    async flattened() {
        const { width, height } = this.image;
        const sheet = Object.assign(document.createElement("canvas"), { width, height });
        const context = sheet.getContext("2d");
        context.drawImage(this.image, 0, 0);
        context.drawImage(this.paint.sheet, 0, 0);
        return new Promise((done) => sheet.toBlob(done, "image/png"));
    }

    // Looks

    layers() {
        if (!this.image) return [];
        const layers = [{ image: this.image, alpha: 1 }];
        if (this.brush !== "none") layers.push({ image: this.paint.sheet, alpha: this.opacity });
        return layers;
    }

    ring() {
        if (!this.pointer || this.brush === "none") return null;
        return { x: this.pointer[0], y: this.pointer[1], radius: this.size / 2 };
    }

    point(where) {
        this.pointer = where;
        if (this.brush !== "none") this.view.draw();
    }

    setSize(size) {
        this.size = Math.min(1024, Math.max(1, size));
        this.sizeBox.querySelector("input").value = this.size;
        this.view.draw();
    }

    setOpacity(opacity) {
        this.opacity = opacity;
        this.opacityBox.querySelector("input").value = opacity;
        this.view.draw();
    }

    /** Paint that covers everything, or lets the picture through. */
    toggleOpacity() {
        this.setOpacity(this.opacity === 1 ? 0.6 : 1);
    }

    setErasing(on) {
        this.erasing = on;
        this.brushTool.ariaPressed = String(!on);
        this.eraserTool.ariaPressed = String(on);
    }

    expand(on) {
        this.expanded = on && Boolean(this.image);
        this.box.classList.toggle("expanded", this.expanded);
        document.body.classList.toggle("canvas-expanded", this.expanded);
    }

    show() {
        this.box.classList.toggle("filled", Boolean(this.image));
        this.undoTool.disabled = true;
        this.redoTool.disabled = true;
    }
}

function slider(title, min, max, step, value, act) {
    const input = element("input", { type: "range", title, ariaLabel: title });
    Object.assign(input, { min, max, step, value });
    input.oninput = () => act(Number(input.value));
    return element("label", { className: "canvas-slider" }, element("span", {}, title), input);
}

/** A picture that is pasted goes to the first empty canvas that is seen, else to the one under the pointer or the first. */
export function watchPaste() {
    document.addEventListener("paste", (event) => {
        const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
        const seen = Object.values(places).filter((place) => place.root.offsetParent);
        if (!file || !seen.length) return;
        event.preventDefault();
        const place = seen.find((one) => !one.image) ?? seen.find((one) => one.root.matches(":hover")) ?? seen[0];
        place.load(file);
    });
}
