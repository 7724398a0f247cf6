// The line on top: the engine still loads, something is wrong with it, or there are no models yet and how to get some.
import { onTab } from "./tabs.js";
import { address, element, t } from "./texts.js";

const EVERY = 1000;
const WHILE_TROUBLED = 10000;
let state = null;
let watching = 0;

export async function watchNotices() {
    state = window.atelierBoot;
    for (const mine = ++watching; mine === watching; ) {
        window.atelier.engine = state.engine;
        draw();
        if (state.engine === "ready") return;
        await later(state.engine === "starting" ? EVERY : WHILE_TROUBLED);
        await ask();
    }
}

/** After models have come or gone. */
export async function refreshNotices() {
    if (!state?.only_built_in && state?.engine === "ready") return;
    await ask();
    draw();
}

const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function ask() {
    try {
        state = await (await fetch(address("internal/gui/state"))).json();
    } catch {
        // The server restarts: ask again.
    }
}

function draw() {
    const place = document.getElementById("notices");
    if (!place) return;
    const lines = [];
    if (state.engine === "starting") lines.push(element("p", { className: "notice busy" }, t("engine_starting")));
    else if (state.engine !== "ready" && state.checkpoints) lines.push(element("p", { className: "notice trouble" }, state.engine));
    if (state.only_built_in && !dismissed()) lines.push(firstSteps());
    place.replaceChildren(...lines);
}

/** What there is, and three ways to more. */
function firstSteps() {
    const close = element("button", { type: "button", className: "notice-close", ariaLabel: t("close") }, "×");
    close.onclick = () => (sessionStorage.setItem("atelier.built_in_known", "yes"), draw());
    const way = (id, text, go) => {
        const made = element("button", { type: "button", className: "notice-way", id }, text);
        made.onclick = go;
        return made;
    };
    return element(
        "div",
        { className: "notice first-steps" },
        element("span", {}, state.checkpoints ? t("only_built_in") : t("no_checkpoint")),
        element(
            "span",
            { className: "notice-ways" },
            way("first_drop", t("first_drop"), () => onTab("models", "#models input[type=file]", (field) => field.click())),
            way("first_link", t("first_link"), () => onTab("models", "#download_link", (field) => field.focus())),
            way("first_folder", t("first_folder"), () => onTab("settings", "#settings_search", chooseFolder)),
        ),
        state.checkpoints ? close : null,
    );
}

function chooseFolder(search) {
    search.value = "other_model_folders";
    search.dispatchEvent(new Event("input"));
    document.getElementById("setting_other_model_folders.field")?.focus();
}

function dismissed() {
    if (!state.checkpoints) return false;
    try {
        return sessionStorage.getItem("atelier.built_in_known") === "yes";
    } catch {
        return false;
    }
}
