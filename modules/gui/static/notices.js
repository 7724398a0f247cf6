// The line on top: the engine still loads, something is wrong with it, or there is only the built-in model.
import { address, element, t } from "./texts.js";

const EVERY = 1000;

export async function watchNotices() {
    let state = window.atelierBoot;
    for (;;) {
        window.atelier.engine = state.engine;
        draw(state);
        if (state.engine !== "starting") return;
        await new Promise((done) => setTimeout(done, EVERY));
        try {
            state = await (await fetch(address("internal/gui/state"))).json();
        } catch {
            // The server restarts: ask again.
        }
    }
}

function draw(state) {
    const place = document.getElementById("notices");
    if (!place) return;
    const lines = [];
    if (state.engine === "starting") lines.push(element("p", { className: "notice busy" }, t("engine_starting")));
    else if (state.engine !== "ready") lines.push(element("p", { className: "notice trouble" }, state.engine));
    if (state.only_built_in && !dismissed()) {
        const close = element("button", { type: "button", className: "notice-close", ariaLabel: t("close") }, "×");
        close.onclick = () => (sessionStorage.setItem("atelier.built_in_known", "yes"), draw(state));
        lines.push(element("p", { className: "notice" }, element("span", {}, t("only_built_in")), close));
    }
    place.replaceChildren(...lines);
}

function dismissed() {
    try {
        return sessionStorage.getItem("atelier.built_in_known") === "yes";
    } catch {
        return false;
    }
}
