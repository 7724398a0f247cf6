// A panel of units that our own scripts draw: a tab for each unit, and fields that show its state.
import { address, element } from "./texts.js";

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Its value is {units: [state, ...]}. A kind of panel says by which `route` the server describes it, and makes units. */
export class UnitPanel {
    /** The panel in `element`, filled once the server has said what there is to choose from. */
    static async open({ element: root, props, watch }) {
        const panel = new this(root, props, await this.described());
        watch("value", () => panel.follow());
        return panel;
    }

    static async described() {
        const answer = await fetch(address(this.route));
        if (!answer.ok) throw new Error(`${answer.status}`);
        return answer.json();
    }

    constructor(root, props, data) {
        this.props = props;
        this.tab = props.tab;
        this.data = data;
        this.value = props.value ?? null;
        this.units = [];
        this.tabs = element("div", { className: "unit-tabs", role: "tablist" });
        this.box = root.querySelector(".unit-panel") ?? root.appendChild(element("div", { className: "unit-panel" }));
        this.box.replaceChildren(this.tabs);
        this.grow();
        this.show(this.units.find((unit) => unit.on) ?? this.units[0]);
    }

    /** As many units as are usual, or as the value has. */
    grow() {
        const count = Math.max(this.data.units, this.value?.units?.length ?? 0);
        while (this.units.length < count) {
            const unit = this.unit(this.units.length);
            this.units.push(unit);
            this.tabs.append(unit.button);
            this.box.append(unit.box);
        }
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
        // For the draft, which is not bound to any component.
        this.box.dispatchEvent(new CustomEvent("atelier:value", { bubbles: true }));
    }

    /** A draft or pasted text put something here. */
    follow() {
        const value = this.props.value ?? null;
        if (same(value, this.value)) return;
        this.value = value;
        this.grow();
        for (const unit of this.units) unit.take(value?.units?.[unit.number] ?? {});
    }

    /** The value with what was typed or painted at this moment. */
    async flush() {
        const typing = document.activeElement;
        if (typing?.matches("input[type=number]") && this.box.contains(typing)) typing.dispatchEvent(new Event("change"));
        for (const unit of this.units) await unit.flush();
        return this.value;
    }

    /** There may be more to choose from now. */
    async refresh() {
        Object.assign(this.data, await this.constructor.described());
        for (const unit of this.units) unit.refresh();
    }
}

/** A kind of unit says whether it is `on`, and draws its `fields` the first time that it is seen. */
export class Unit {
    /** `fresh`: what it is before anything was said of it. */
    constructor(panel, number, id, title, fresh) {
        this.panel = panel;
        this.number = number;
        this.id = id;
        this.fresh = fresh;
        this.state = { ...fresh, ...panel.value?.units?.[number] };
        this.button = element("button", { type: "button", role: "tab", id: `${id}-button` }, title);
        this.button.setAttribute("aria-controls", id);
        this.button.onclick = () => panel.show(this);
        this.box = element("div", { className: "unit", id, role: "tabpanel", hidden: true });
        this.box.setAttribute("aria-labelledby", `${id}-button`);
        this.mark();
    }

    open() {
        if (this.fields) return;
        this.draw();
        this.mark();
    }

    /** Changes what the unit asks; the fields show it. */
    set(changes) {
        Object.assign(this.state, changes);
        this.panel.changed();
    }

    take(state) {
        this.state = { ...this.fresh, ...state };
        this.mark();
    }

    mark() {
        this.button.classList.toggle("on", this.on);
        this.fields?.show();
    }

    refresh() {
        this.fields?.show();
    }

    async flush() {}
}
