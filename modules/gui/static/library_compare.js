// Two pictures in one place, parted by a line that can be moved.
import { fileOf } from "./library.js";
import { element, t } from "./texts.js";

export function compare(one, other) {
    const dialog = element("dialog", { className: "library-compare own-fields own-buttons", id: "library_compare" });
    const stage = element("div", { className: "library-split" });
    stage.append(
        element("img", { src: fileOf(other), alt: other.name }),
        element("img", { src: fileOf(one), alt: one.name, className: "front" }),
    );
    const slider = element("input", { type: "range", min: 0, max: 100, value: 50, ariaLabel: t("library_split") });
    slider.oninput = () => stage.style.setProperty("--split", `${slider.value}%`);
    const close = element("button", { type: "button", className: "library-close", ariaLabel: t("library_close") }, "×");
    close.onclick = () => dialog.close();
    const names = element("div", { className: "library-names" }, element("span", {}, one.name), element("span", {}, other.name));
    dialog.append(stage, slider, names, close);
    dialog.onclose = () => dialog.remove();
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    (document.querySelector(".gradio-container") ?? document.body).append(dialog);
    dialog.showModal();
}
