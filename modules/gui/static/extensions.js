// The Extensions tab: what is here, what others offer, and every change looked at before it is made.
import { showAvailable, showBackups, showFrom } from "./extensions_more.js";
import { showReview } from "./extensions_review.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const PARTS = ["installed", "available", "from", "backups"];

let page = null;

export async function openExtensions() {
    const root = document.getElementById("extensions");
    if (!root) return;
    if (page?.root !== root) {
        document.head.append(
            element("link", { rel: "stylesheet", href: new URL("extensions.css", import.meta.url).href }),
        );
        page = new Page(root);
    }
    await page.open(page.part);
}

export async function get(path, values = {}) {
    const url = address(`internal/extensions${path}`);
    for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
    return answerOf(await fetch(url));
}

/** A change; it carries the token that only a page of this studio can read. */
export async function change(path, body) {
    change.token ??= (await get("/token")).token;
    const answer = await fetch(address(`internal/extensions${path}`), {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Atelier-Token": change.token },
        body: JSON.stringify(body),
    });
    return answerOf(answer);
}

async function answerOf(answer) {
    const found = await answer.json().catch(() => null);
    if (answer.ok) return found;
    const sentence = found?.errors || found?.detail;
    throw new Error(typeof sentence === "string" && sentence ? sentence : `${answer.status}`);
}

/** A button that is not pressed twice while it works; what goes wrong is told. */
export function button(text, work, properties = {}) {
    const made = element("button", { type: "button", ...properties }, text);
    made.onclick = async () => {
        made.disabled = true;
        made.ariaBusy = "true";
        try {
            await work(made);
        } catch (error) {
            tell(error.message);
        } finally {
            made.disabled = false;
            made.ariaBusy = "false";
        }
    };
    return made;
}

class Page {
    constructor(root) {
        this.root = root;
        this.part = "installed";
        this.tabs = element(
            "div",
            { className: "extensions-tabs", role: "tablist" },
            ...PARTS.map((part) => {
                const tab = element("button", { type: "button", role: "tab", id: `extensions_${part}` }, t(`ext_${part}`));
                tab.onclick = () => this.open(part);
                return tab;
            }),
        );
        this.body = element("div", { className: "extensions-body", role: "tabpanel" });
        root.replaceChildren(this.tabs, this.body);
    }

    async open(part) {
        this.part = part;
        for (const tab of this.tabs.children) tab.ariaSelected = String(tab.id === `extensions_${part}`);
        const show = { installed: showInstalled, available: showAvailable, from: showFrom, backups: showBackups }[part];
        try {
            await show(this);
        } catch (error) {
            this.body.replaceChildren(element("p", { className: "extensions-note" }, error.message));
        }
    }
}

async function showInstalled(page) {
    const found = await get("");
    const notes = [];
    if (found.safe_mode) notes.push(t("ext_safe_mode"));
    if (found.left_out) notes.push(t("ext_left_out", { count: found.broken_starts }));
    else if (found.broken_starts) notes.push(t("ext_broken_start"));
    if (found.culprit) notes.push(t("ext_culprit", { name: found.culprit }));
    if (!found.extensions.length) notes.push(t("ext_none"));
    const boxes = new Map();
    const allOff = element("input", { type: "checkbox", checked: found.all_off, id: "extensions_all_off" });
    const rows = element("div", { className: "extensions-list" }, ...found.extensions.map((one) => row(page, one, boxes)));
    const checkAll = button(
        t("ext_check_all"),
        async () => {
            // One after the other: each asks a server, and a look at the one need not wait for the rest.
            for (const check of rows.querySelectorAll(".extensions-check")) await check.onclick();
        },
        { id: "extensions_check_all", hidden: !found.extensions.some((one) => one.commit && one.url) },
    );
    const apply = button(
        t("ext_apply"),
        async () => {
            const disabled = [...boxes].filter(([, box]) => !box.checked).map(([name]) => name);
            await change("/enabled", { disabled, all_off: allOff.checked });
            if (confirm(t("ext_restart_sure"))) await restart();
        },
        { className: "primary", id: "extensions_apply" },
    );
    page.body.replaceChildren(
        ...notes.map((note) => element("p", { className: "extensions-note" }, note)),
        element("div", { className: "extensions-bar" }, apply, checkAll, element("label", {}, allOff, ` ${t("ext_all_off")}`)),
        rows,
    );
}

async function restart() {
    const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    const answer = await fetch(address("internal/gui/actions/restart"), asked);
    if (!answer.ok) await answerOf(answer);
}

function row(page, one, boxes) {
    const box = element("input", { type: "checkbox", checked: one.enabled, ariaLabel: one.name });
    boxes.set(one.name, box);
    const facts = [];
    if (one.branch && one.commit) facts.push(`${one.branch} ${one.commit.slice(0, 8)}`);
    if (one.date) facts.push(new Date(one.date * 1000).toLocaleDateString());
    for (const [kind, count] of Object.entries(one.adds)) if (count) facts.push(t(`ext_${kind}`, { count }));
    if (one.seconds !== null) facts.push(t("ext_seconds", { seconds: one.seconds.toFixed(1) }));
    if (one.changed) facts.push(t("ext_files_changed"));
    if (!one.active) facts.push(one.enabled ? t("ext_next_start") : t("ext_off"));
    const state = element("span", { className: "extensions-state" });
    const actions = element("div", { className: "extensions-actions" }, state);
    if (one.commit && one.url) {
        actions.append(
            button(
                t("ext_check"),
                async (pressed) => {
                    state.textContent = t("ext_checking");
                    const found = await change("/check", { name: one.name }).finally(() => (state.textContent = ""));
                    if (!found.token) return void (state.textContent = t("ext_latest"));
                    pressed.replaceWith(button(t("ext_new"), async () => showReview(page, found), { className: "primary" }));
                },
                { className: "extensions-check" },
            ),
        );
    }
    if (one.can_roll_back) {
        actions.append(
            button(t("ext_roll_back"), async () => {
                const done = await change("/roll-back", { name: one.name });
                toast(t(done.done ? "ext_done" : "ext_failed", { name: one.name }));
                await page.open("installed");
            }),
        );
    }
    actions.append(
        button(
            t("ext_remove"),
            async () => {
                if (!confirm(t("ext_remove_sure", { name: one.name }))) return;
                await change("/remove", { name: one.name });
                await page.open("installed");
            },
            { className: "danger" },
        ),
    );
    const link = /^https?:/.test(one.url ?? "")
        ? element("a", { href: one.url, target: "_blank", rel: "noreferrer noopener" }, one.url)
        : element("span", {}, one.url || one.source);
    return element(
        "section",
        { className: "extensions-row" },
        element("label", { className: "extensions-name" }, box, one.name),
        element("div", { className: "extensions-facts" }, link, element("p", {}, facts.join(" · "))),
        actions,
        problems(one),
    );
}

function problems(one) {
    const list = [...one.failures];
    if (one.problem) list.push({ what: "", sentence: one.problem, details: "" });
    if (one.install && !one.install.done) {
        list.push({ what: "install.py", sentence: one.install.remedy, details: one.install.lines.join("\n") });
    }
    if (!list.length) return null;
    return element(
        "details",
        { className: "extensions-problems", open: true },
        element("summary", {}, t("ext_failures", { count: list.length })),
        ...list.map((failure) =>
            element(
                "details",
                {},
                element("summary", {}, [failure.what, failure.sentence].filter(Boolean).join(": ")),
                element("pre", {}, failure.details),
            ),
        ),
    );
}
