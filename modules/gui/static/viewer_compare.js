// Two pictures over each other in the viewer, with a slider that uncovers one of them.
import { element, t } from "./texts.js";
import { toast } from "./toast.js";

export class Compare {
    constructor(viewer) {
        this.viewer = viewer;
        this.on = false;
        this.slider = element("input", { type: "range", className: "viewer-slider", min: 0, max: 100, step: 0.5, value: 50, hidden: true, ariaLabel: t("viewer_uncover") });
        this.slider.oninput = () => this.draw();
        this.names = element("p", { className: "viewer-names", hidden: true }, element("span"), element("span", { className: "hint" }, t("viewer_pick_other")), element("span"));
        viewer.frame.append(this.slider, this.names);
    }

    /** What the shown picture is compared with at first: what it was made of, else the picture beside it. */
    first() {
        const { pictures, shown, index, before } = this.viewer;
        const same = pictures.find((one) => one !== shown && one.kind === "before" && one.seed === shown.seed);
        if (same) return { ...same, name: t("viewer_before") };
        return before ?? pictures[index > 0 ? index - 1 : index + 1];
    }

    toggle() {
        if (this.on) return this.end();
        const other = this.first();
        if (!other) return void toast(t("viewer_nothing_to_compare"), "info");
        this.on = true;
        this.viewer.press("modal_compare", true);
        this.with(other);
        this.slider.focus();
    }

    with(picture) {
        this.picture = picture;
        this.viewer.other.src = picture.url;
        for (const part of [this.slider, this.names, this.viewer.other]) part.hidden = false;
        this.moved();
    }

    /** Another picture is shown, or compared with. */
    moved() {
        if (!this.on) return;
        const name = (picture) => picture.name ?? `${this.viewer.pictures.indexOf(picture) + 1}`;
        const [left, hint, right] = this.names.children;
        hint.hidden = this.viewer.pictures.length < 3;
        left.textContent = name(this.picture);
        right.textContent = name(this.viewer.shown);
        this.draw();
    }

    draw() {
        this.viewer.other.style.clipPath = `inset(0 ${100 - this.slider.value}% 0 0)`;
        this.viewer.frame.style.setProperty("--at", `${this.slider.value}%`);
    }

    end() {
        this.on = false;
        this.viewer.press?.("modal_compare", false);
        for (const part of [this.slider, this.names, this.viewer.other]) part.hidden = true;
    }
}
