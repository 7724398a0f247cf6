// The labelled fields of a unit. Each is drawn once and shows the unit's state after every change.
import { FIELDS } from "./inputs.js";
import { element } from "./texts.js";

export class UnitFields {
    constructor(unit) {
        this.unit = unit;
        this.shown = [];
    }

    /** A labelled field for `name` of the state; `changes` says what else a new value means. */
    field(name, control, text, id, { changes = (value) => ({ [name]: value }), help = "" } = {}) {
        const { unit } = this;
        const inside = `${id}_field`;
        const [box, write] = FIELDS[control.type]({ value: unit.state[name], control }, inside, (value) => unit.set(changes(value)));
        this.shown.push(() => write(unit.state[name]));
        return labelled(control.type, box, text, id, help);
    }

    show() {
        for (const write of this.shown) write();
    }
}

/** `box`, a field of kind `type`, with its name and what it is good for. */
export function labelled(type, box, text, id, help = "") {
    const className = `unit-field unit-${type}`;
    const inside = `${id}_field`;
    const title = element(type === "radio" ? "legend" : type === "checkbox" ? "span" : "label", { className: "unit-name" }, text);
    if (type === "checkbox") return element("label", { className, id }, box, title);
    if (type === "radio") return element("fieldset", { className, id }, title, box);
    title.htmlFor = inside;
    const made = element("div", { className, id }, title, box);
    if (help) {
        box.setAttribute("aria-describedby", `${id}_help`);
        made.append(element("small", { id: `${id}_help` }, help));
    }
    return made;
}

export const row = (className, ...children) => element("div", { className: `unit-row ${className}` }, ...children);
