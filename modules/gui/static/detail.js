// The panel of the detail pass: a tab for each unit, with the fields that the server describes.
import { element } from "./texts.js";
import { row, UnitFields } from "./unit_fields.js";
import { Unit, UnitPanel } from "./unit_panel.js";

const NONE = "None";

export class Panel extends UnitPanel {
    static route = "internal/gui/details";

    unit(number) {
        return new DetailUnit(this, number);
    }
}

class DetailUnit extends Unit {
    constructor(panel, number) {
        const { fresh } = panel.data;
        super(panel, number, `script_${panel.tab}_adetailer_ad_unit_${number + 1}`, `${number + 1}`, fresh[Math.min(number, fresh.length - 1)]);
    }

    get on() {
        return this.state.model !== NONE;
    }

    draw() {
        const { data } = this.panel;
        this.fields = new UnitFields(this);
        // Their own: choices are put in place of others when the lists change.
        this.controls = Object.fromEntries(Object.entries(data.fields).map(([name, { control }]) => [name, { ...control }]));
        const more = element("details", { className: "unit-more" }, element("summary", {}, data.words.more), ...this.rows(data.more));
        this.box.append(...this.rows(data.rows), more);
    }

    rows(rows) {
        return rows.map((names) => row(names.length > 1 ? "two" : "", ...names.map((name) => this.field(name))));
    }

    field(name) {
        const { tab, data } = this.panel;
        const { key, label, help } = data.fields[name];
        return this.fields.field(name, this.controls[name], label, `script_${tab}_adetailer_${key}${data.suffixes[this.number]}`, { help });
    }

    refresh() {
        for (const name in this.controls ?? {}) Object.assign(this.controls[name], this.panel.data.fields[name].control);
        super.refresh();
    }
}
