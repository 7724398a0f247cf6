// The ControlNet panel: a tab for each unit, with its picture, its preprocessor and how strongly it steers.
import { openCanvas, placeOf } from "./canvas.js";
import { ControlFields } from "./control_fields.js";
import { setNumber } from "./fields.js";
import { drawable } from "./img2img.js";
import { address, element } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";
import { same, Unit, UnitPanel } from "./unit_panel.js";

const CANVAS_HEIGHT = 420;

export class Panel extends UnitPanel {
    static route = "internal/gui/controlnet";

    unit(number) {
        return new ControlUnit(this, number);
    }

    say(key, values = {}) {
        return (this.data.words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
    }
}

const FRESH = {
    enabled: false,
    image: null,
    type: "All",
    module: "none",
    model: "None",
    weight: 1,
    guidance_start: 0,
    guidance_end: 1,
    processor_res: -1,
    threshold_a: -1,
    threshold_b: -1,
    pixel_perfect: false,
    low_vram: false,
    preview: false,
    control_mode: "Balanced",
    resize_mode: "Crop and Resize",
    hires_option: "Both",
};

class ControlUnit extends Unit {
    constructor(panel, number) {
        super(panel, number, `${panel.tab}_controlnet_ControlNet-${number}`, panel.say("unit", { number }), FRESH);
    }

    get on() {
        return Boolean(this.state.enabled);
    }

    draw() {
        const { panel, id } = this;
        this.fields = new ControlFields(this);
        this.map = element("img", { className: "control-map", alt: panel.say("preview"), id: `${id}_generated_image`, hidden: true });
        this.place = element("div", { className: "control-picture", id: `${id}_input_image` });
        const pictures = element("div", { className: "control-pictures" }, this.place, this.map);
        const hint = panel.tab === "img2img" ? element("p", { className: "control-hint" }, panel.say("picture_of_img2img")) : null;
        this.box.append(...[pictures, hint, ...this.fields.rows].filter(Boolean));
        const unit = this;
        openCanvas({
            element: this.place,
            props: {
                name: id,
                brush: "mask",
                colour: "#ffffff",
                height: CANVAS_HEIGHT,
                get value() {
                    return unit.state.image;
                },
                set value(value) {
                    if (!same(value, unit.state.image)) unit.set({ image: value });
                },
            },
            watch: (_, follow) => (this.followPicture = follow),
        });
    }

    set(changes) {
        // Whoever drops a picture wants it to steer.
        super.set(changes.image ? { ...changes, enabled: true } : changes);
    }

    take(state) {
        super.take(state);
        this.followPicture?.();
    }

    mark() {
        super.mark();
        if (this.map) this.map.hidden = !this.state.preview || !this.map.src;
    }

    async flush() {
        await placeOf(this.id)?.flush();
    }

    /** The size of the picture for the drawing. */
    sendSize() {
        const image = placeOf(this.id)?.image;
        if (!image) return toast(this.panel.say("no_picture"), "info");
        const [width, height] = drawable(image);
        setNumber(`${this.panel.tab}_width`, width);
        setNumber(`${this.panel.tab}_height`, height);
    }

    /** Asks the server for the map of the picture and shows it. */
    async run() {
        const { tab } = this.panel;
        await this.flush();
        const size = (side) => Number(document.querySelector(`#${tab}_${side} input[type=number]`)?.value) || 512;
        this.box.classList.add("busy");
        try {
            const answer = await fetch(address("internal/gui/controlnet/map"), {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ unit: this.state, width: size("width"), height: size("height") }),
            });
            if (!answer.ok) return tell((await answer.json()).detail ?? `${answer.status}`);
            URL.revokeObjectURL(this.map.src);
            this.map.src = URL.createObjectURL(await answer.blob());
            this.set({ preview: true });
        } catch (error) {
            toast(error.message, "error");
        } finally {
            this.box.classList.remove("busy");
        }
    }
}
