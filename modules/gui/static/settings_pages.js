// The last pages of the Settings tab: defaults, the system, how fast it is, actions, and what it is made of.
import { valuesOf } from "./drafts.js";
import { canNotify, wishNotices } from "./notify.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const TABS = ["txt2img", "img2img", "extras", "modelmerger"];
const ASK_AGAIN = 1000;
const BACK_AFTER = 2000;
let about = null;

/** id, label and what draws the page into an element when it is opened for the first time. */
export const pages = () => [
    { id: "defaults", label: t("about_defaults"), draw: drawDefaults },
    { id: "sysinfo", label: t("about_system"), draw: drawSystem },
    { id: "benchmark", label: t("about_benchmark"), draw: drawBenchmark },
    { id: "actions", label: t("about_actions"), draw: drawActions },
    { id: "licenses", label: t("about_credits"), draw: drawCredits },
];

async function ask(path, body) {
    const how = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(address(`internal/gui/${path}`), how);
    const told = answer.status === 204 ? null : await answer.json();
    if (!answer.ok) {
        tell(typeof told?.detail === "string" ? told.detail : t("event_failed", { status: answer.status }));
        throw new Error(`${answer.status}`);
    }
    return told;
}

const facts = () => (about ??= ask("about"));

function button(text, act, properties = {}) {
    const made = element("button", { type: "button", ...properties }, text);
    made.onclick = async () => {
        made.disabled = true;
        try {
            await act(made);
        } catch (error) {
            console.error(error);
        } finally {
            made.disabled = false;
        }
    };
    return made;
}

function table(head, rows, className = "") {
    return element(
        "div",
        { className: `about-table ${className}`, tabIndex: 0, role: "region", ariaLabel: head.join(", ") },
        element(
            "table",
            {},
            element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
            element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))),
        ),
    );
}

function drawDefaults(box) {
    const place = element("div", { role: "status" });
    const values = () => Object.fromEntries(TABS.map((tab) => [tab, valuesOf(tab)]));
    const say = (rows) => rows.map(({ key, old, new: now }) => [key.split("/")[0], key.split("/").slice(1).join("/"), shown(old), shown(now)]);
    const view = async () => {
        const rows = await ask("defaults", { values: values() });
        place.replaceChildren(
            rows.length
                ? table([t("about_tab"), t("about_field"), t("about_old"), t("about_new")], say(rows))
                : element("p", { className: "setting-help" }, t("about_defaults_none")),
        );
    };
    const apply = async () => {
        const rows = await ask("defaults", { values: values(), apply: true });
        toast(t("about_defaults_applied", { count: rows.length }), "info", 8);
        await view();
    };
    box.append(
        element("p", { className: "setting-help" }, t("about_defaults_help")),
        element("div", { className: "about-buttons own-buttons" }, button(t("about_defaults_view"), view, { id: "ui_defaults_view" }), button(t("about_defaults_apply"), apply, { id: "ui_defaults_apply" })),
        place,
    );
}

const shown = (value) => (value === "" ? "—" : String(value));

async function drawSystem(box) {
    const place = element("div", {});
    const check = element("input", { type: "file", id: "sysinfo_validity", accept: ".json,.txt" });
    check.onchange = async () => {
        const [file] = check.files;
        if (!file) return;
        const { whole } = await ask("sysinfo", { text: await file.text() });
        if (whole) toast(t("about_whole", { name: file.name }), "info", 8);
        else toast(t("about_not_whole", { name: file.name }), "warning", 8);
        check.value = "";
    };
    box.append(
        place,
        element("p", { className: "setting-help" }, t("about_system_help")),
        element(
            "div",
            { className: "about-buttons own-buttons" },
            element("a", { className: "button", href: address("internal/sysinfo-download").href, download: "" }, t("about_download")),
            element("a", { className: "button", href: address("internal/sysinfo").href, target: "_blank", rel: "noopener" }, t("about_look")),
            element("label", { className: "button own-file" }, t("about_check"), check),
        ),
    );
    const told = await facts();
    place.replaceChildren(table([t("about_what"), t("about_value")], told.facts.filter(([, value]) => value)));
}

async function drawBenchmark(box) {
    const { measure } = await facts();
    const field = (name, text, min, max, step) => {
        const input = element("input", { type: "number", id: `benchmark_${name}`, value: measure[name], min, max, step });
        return [input, element("label", { className: "about-number" }, element("span", {}, text), input)];
    };
    const fields = {
        width: field("width", t("benchmark_width"), 64, 4096, 8),
        height: field("height", t("benchmark_height"), 64, 4096, 8),
        steps: field("steps", t("benchmark_steps"), 1, 150, 1),
        batch_size: field("batch_size", t("benchmark_batch_size"), 1, 8, 1),
    };
    const place = element("div", { className: "benchmark-result", role: "status", id: "benchmark_result" });
    const run = async () => {
        place.replaceChildren(t("benchmark_starts"));
        try {
            const ids = await ask("benchmark", Object.fromEntries(Object.entries(fields).map(([name, [input]]) => [name, Number(input.value)])));
            await follow(ids, place);
        } catch (error) {
            place.replaceChildren();
            throw error;
        }
    };
    box.append(
        element("p", { className: "setting-help" }, t("benchmark_help")),
        element("div", { className: "about-buttons own-buttons" }, ...Object.values(fields).map(([, labelled]) => labelled), button(t("benchmark_run"), run, { id: "benchmark_run", className: "primary" })),
        place,
    );
}

async function follow(ids, place) {
    for (;;) {
        const told = await ask(`benchmark?ids=${ids.join(",")}`);
        if (told.error) return place.replaceChildren(element("p", { className: "note" }, told.error));
        if (told.line) {
            const copy = button(t("copy"), async () => {
                await navigator.clipboard.writeText(told.line);
                toast(t("copied"), "info", 2);
            });
            return place.replaceChildren(
                element("p", { className: "benchmark-rate" }, `${told.rate.toFixed(2)} it/s`),
                element("p", {}, t("benchmark_per_picture", { seconds: told.seconds.toFixed(2) })),
                element("textarea", { readOnly: true, rows: 4, value: told.line, id: "benchmark_line", ariaLabel: t("benchmark_line") }),
                copy,
            );
        }
        place.replaceChildren(t("benchmark_running", { done: told.done, of: told.of }));
        await new Promise((later) => setTimeout(later, ASK_AGAIN));
    }
}

async function drawActions(box) {
    const row = (text, help, act, id) => element("div", { className: "setting" }, element("div", { className: "about-buttons own-buttons" }, button(text, act, { id })), element("p", { className: "setting-help" }, help));
    const act = (name, said) => async () => {
        await ask(`actions/${name}`, {});
        toast(said, "info");
    };
    box.append(
        row(t("action_notify"), t("action_notify_help"), askToNotify, "request_notifications"),
        row(t("action_unload"), t("action_unload_help"), act("unload", t("action_unloaded")), "sett_unload_sd_model"),
        row(t("action_reload"), t("action_reload_help"), act("reload", t("action_reloaded")), "sett_reload_sd_model"),
        row(t("action_hashes"), t("action_hashes_help"), act("hashes", t("action_hashing")), "calculate_all_checkpoint_hash"),
        row(t("action_template"), t("action_template_help"), () => location.assign(address("internal/gui/localization_template")), "download_localization"),
        row(t("reload_page"), t("action_page_help"), () => location.reload(), "settings_reload_page"),
    );
    if ((await facts()).restart) box.append(row(t("action_restart"), t("action_restart_help"), restart, "settings_restart_server"));
}

async function askToNotify() {
    if (!canNotify()) return toast(t("action_notify_none"), "warning");
    return wishNotices(true);
}

async function restart() {
    await ask("actions/restart", {});
    toast(t("action_restarting"), "info", 0);
    for (;;) {
        await new Promise((later) => setTimeout(later, BACK_AFTER));
        try {
            if ((await fetch(address("internal/ping"))).ok) return location.reload();
        } catch {
            // Not back yet.
        }
    }
}

async function drawCredits(box) {
    const { credits } = await facts();
    const link = ({ name, home }) => (home ? element("a", { href: home, target: "_blank", rel: "noopener noreferrer" }, name) : name);
    box.append(
        element("p", { className: "setting-help" }, t("about_credits_help")),
        table([t("about_package"), t("about_version"), t("about_license")], credits.map((one) => [link(one), one.version, one.license || "?"])),
    );
}
