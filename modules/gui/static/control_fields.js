// The fields of one ControlNet unit. Each is drawn once and shows the unit's state after every change.
import { FIELDS } from "./inputs.js";
import { element } from "./texts.js";
import { labelled, row, UnitFields } from "./unit_fields.js";

export class ControlFields extends UnitFields {
    constructor(unit) {
        super(unit);
        const { panel } = unit;
        const say = (key) => panel.say(key);
        const part = (id) => `${unit.id}_controlnet_${id}`;
        this.model = { type: "choice", choices: [] };
        this.module = { type: "choice", choices: [] };
        this.type = { type: "radio", choices: Object.keys(panel.data.types).map((name) => [name, say(`type.${name}`)]) };
        const words = (names, key) => names.map((name) => [name, say(`${key}.${name}`)]);
        const run = tool("burst", say("run"), () => unit.run(), part("trigger_preprocessor"));
        const refresh = tool("refresh", say("refresh"), () => panel.refresh(), part("refresh_models"));
        const size = tool("measure", say("send_size"), () => unit.sendSize(), part("send_dimen_button"));
        this.rows = [
            row(
                "checks",
                this.field("enabled", { type: "checkbox" }, say("enable"), part("enable_checkbox")),
                this.field("low_vram", { type: "checkbox" }, say("low_vram"), part("low_vram_checkbox")),
                this.field("pixel_perfect", { type: "checkbox" }, say("pixel_perfect"), part("pixel_perfect_checkbox")),
                this.field("preview", { type: "checkbox" }, say("allow_preview"), part("preprocessor_preview_checkbox")),
                size,
            ),
            this.field("type", this.type, say("type"), part("type_filter_radio"), { changes: (name) => this.ofType(name) }),
            row(
                "choices",
                this.field("module", this.module, say("module"), part("preprocessor_dropdown"), { changes: (name) => this.ofModule(name) }),
                run,
                this.field("model", this.model, say("model"), part("model_dropdown")),
                refresh,
            ),
            row(
                "three",
                this.field("weight", slider(0, 2, 0.05), say("weight"), part("control_weight_slider")),
                this.field("guidance_start", slider(0, 1, 0.01), say("start"), part("start_control_step_slider"), {
                    changes: (start) => ({ guidance_start: start, guidance_end: Math.max(start, unit.state.guidance_end) }),
                }),
                this.field("guidance_end", slider(0, 1, 0.01), say("end"), part("ending_control_step_slider"), {
                    changes: (end) => ({ guidance_end: end, guidance_start: Math.min(end, unit.state.guidance_start) }),
                }),
            ),
            (this.knobs = row("three")),
            this.field("control_mode", { type: "radio", choices: words(["Balanced", "My prompt is more important", "ControlNet is more important"], "mode") }, say("mode"), part("control_mode_radio")),
            this.field("resize_mode", { type: "radio", choices: words(["Just Resize", "Crop and Resize", "Resize and Fill"], "resize") }, say("resize"), part("resize_mode_radio")),
        ];
        if (panel.tab === "txt2img")
            this.rows.push(this.field("hires_option", { type: "radio", choices: words(["Both", "Low res only", "High res only"], "hires") }, say("hires"), part("hr_option_radio")));
    }

    /** What choosing a control type sets. */
    ofType(type) {
        const { module, model } = this.unit.panel.data.types[type];
        return { type, ...this.ofModule(module), ...(type === "All" ? {} : { model }) };
    }

    /** What choosing a preprocessor sets: its numbers are as it is made for. */
    ofModule(module) {
        const { state } = this.unit;
        const model = this.unit.panel.data.modules[module]?.needs_model === false ? "None" : state.model;
        return { module, model, processor_res: -1, threshold_a: -1, threshold_b: -1 };
    }

    show() {
        const { state, panel } = this.unit;
        const { types, modules } = panel.data;
        const offered = types[state.type] ?? types.All;
        this.module.choices = offered.modules.map((name) => [name, modules[name].missing ? panel.say("not_here", { name: modules[name].label }) : modules[name].label]);
        this.model.choices = offered.models.map((name) => [name, name === "None" ? panel.say("no_model") : name]);
        super.show();
        this.showKnobs();
    }

    showKnobs() {
        const { unit } = this;
        const knobs = unit.panel.data.modules[unit.state.module]?.knobs ?? {};
        const shown = Object.keys(knobs).filter((name) => name !== "processor_res" || !unit.state.pixel_perfect);
        const key = JSON.stringify([unit.state.module, shown]);
        if (key !== this.knobsOf) {
            this.knobsOf = key;
            const ids = { processor_res: "preprocessor_resolution_slider", threshold_a: "threshold_A_slider", threshold_b: "threshold_B_slider" };
            this.shownKnobs = [];
            this.knobs.replaceChildren(
                ...shown.map((name) => {
                    const knob = knobs[name];
                    const id = `${unit.id}_controlnet_${ids[name]}`;
                    const [box, write] = FIELDS.slider({ value: knob.value, control: knob }, `${id}_field`, (value) => unit.set({ [name]: value }));
                    this.shownKnobs.push(() => write(unit.state[name] === -1 ? knob.value : unit.state[name]));
                    return labelled("slider", box, knob.label, id);
                }),
            );
            this.knobs.hidden = !shown.length;
        }
        for (const write of this.shownKnobs) write();
    }
}

const slider = (min, max, step) => ({ type: "slider", min, max, step });

/** A small square button; its words are read out and shown as a hint. */
function tool(icon, title, act, id) {
    const button = element("button", { type: "button", className: `control-tool canvas-tool icon-${icon}`, title, ariaLabel: title, id });
    button.onclick = act;
    return button;
}
