// The ControlNet panel: a tab for each unit, with its picture, its preprocessor and how strongly it steers.
import { openCanvas, placeOf } from "./canvas.js";
import { Fields } from "./control_fields.js";
import { setNumber } from "./fields.js";
import { drawable } from "./img2img.js";
import { address, element } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const CANVAS_HEIGHT = 420;

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export class Panel {
    /** The panel in `element`, filled once the server has said what there is to choose from. */
    static async open({ element: root, props, watch }) {
        const panel = new Panel(root, props, await described());
        watch("value", () => panel.follow());
        return panel;
    }

    constructor(root, props, data) {
        this.props = props;
        this.tab = props.tab;
        this.data = data;
        this.value = props.value ?? null;
        this.tabs = element("div", { className: "control-tabs", role: "tablist" });
        this.box = root.querySelector(".controlnet") ?? root.appendChild(element("div", { className: "controlnet" }));
        this.box.replaceChildren(this.tabs);
        this.units = Array.from({ length: Math.max(data.units, this.value?.units?.length ?? 0) }, (_, number) => new Unit(this, number));
        for (const unit of this.units) {
            this.tabs.append(unit.button);
            this.box.append(unit.box);
        }
        this.show(this.units.find((unit) => unit.state.enabled) ?? this.units[0]);
    }

    say(key, values = {}) {
        return (this.data.words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
    }

    show(shown) {
        for (const unit of this.units) {
            unit.box.hidden = unit !== shown;
            unit.button.ariaSelected = String(unit === shown);
        }
        shown.open();
    }

    /** A field or a canvas changed. */
    changed() {
        this.value = { units: this.units.map((unit) => ({ ...unit.state })) };
        this.props.value = this.value;
        for (const unit of this.units) unit.mark();
    }

    /** A draft or pasted text put something here. */
    follow() {
        const value = this.props.value ?? null;
        if (same(value, this.value)) return;
        this.value = value;
        for (const unit of this.units) unit.take(value?.units?.[unit.number] ?? {});
    }

    async flush() {
        for (const unit of this.units) await unit.flush();
        return this.value;
    }

    async refresh() {
        const data = await described();
        Object.assign(this.data, data);
        for (const unit of this.units) unit.refresh();
    }
}

async function described() {
    const answer = await fetch(address("internal/gui/controlnet"));
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.json();
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

class Unit {
    constructor(panel, number) {
        this.panel = panel;
        this.number = number;
        this.id = `${panel.tab}_controlnet_ControlNet-${number}`;
        this.state = { ...FRESH, ...panel.value?.units?.[number] };
        this.button = element("button", { type: "button", role: "tab", id: `${this.id}-button` }, panel.say("unit", { number }));
        this.button.onclick = () => panel.show(this);
        this.box = element("div", { className: "control-unit", id: this.id, role: "tabpanel", hidden: true });
        this.mark();
    }

    /** Draws the fields, the first time that the unit is seen. */
    open() {
        if (this.fields) return;
        const { panel, id } = this;
        this.fields = new Fields(this);
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
        this.mark();
    }

    /** Changes what the unit asks; the fields show it. */
    set(changes) {
        Object.assign(this.state, changes);
        // Whoever drops a picture wants it to steer.
        if (changes.image) this.state.enabled = true;
        this.panel.changed();
    }

    take(state) {
        this.state = { ...FRESH, ...state };
        this.mark();
        this.followPicture?.();
    }

    mark() {
        this.button.classList.toggle("on", Boolean(this.state.enabled));
        this.fields?.show();
        if (this.map) this.map.hidden = !this.state.preview || !this.map.src;
    }

    refresh() {
        this.fields?.show();
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
