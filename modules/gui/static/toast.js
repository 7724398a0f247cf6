import { element, t } from "./texts.js";

let corner = null;

/** A message in the corner. Errors stay until they are closed, the rest goes after `seconds` (0: stays). */
export function toast(text, kind = "info", seconds = kind === "error" ? 0 : 5, title = "") {
    corner ??= document.body.appendChild(element("div", { className: "toasts", ariaLive: "polite" }));
    const close = element("button", { className: "toast-close", type: "button", ariaLabel: t("close") }, "×");
    const said = element("p", {}, title ? element("strong", {}, title) : null, text);
    const box = element("div", { className: `toast ${kind}`, role: kind === "error" ? "alert" : "status" }, said, close);
    close.onclick = () => box.remove();
    corner.append(box);
    if (seconds) setTimeout(() => box.remove(), seconds * 1000);
    return box;
}
