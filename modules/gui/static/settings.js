// The Settings tab: fields drawn from what the server declares, searched, marked and applied here.
import { FIELDS } from "./inputs.js";
import { canNotify, wantsNotices, wishNotices } from "./notify.js";
import { pages as otherPages } from "./settings_pages.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

let page = null;

export async function openSettings() {
    const root = document.getElementById("settings");
    if (!root || page?.root === root) return;
    root.replaceChildren(element("p", { className: "settings-empty" }, t("settings_loading")));
    const answer = await fetch(address("internal/gui/settings"));
    if (!answer.ok) throw new Error(`${answer.status}`);
    page = new Page(root, await answer.json());
}

class Page {
    constructor(root, { pages }) {
        this.root = root;
        this.rows = [];
        this.sections = [];
        this.search = element("input", { type: "search", id: "settings_search", placeholder: t("settings_search"), ariaLabel: t("settings_search") });
        this.search.oninput = () => this.filter();
        this.onlyChanged = element("input", { type: "checkbox", id: "settings_only_changed" });
        this.onlyChanged.onchange = () => this.filter();
        this.apply = element("button", { type: "button", id: "settings_submit", className: "primary", disabled: true }, t("settings_apply"));
        this.apply.onclick = () => this.save();
        this.discard = element("button", { type: "button", id: "settings_discard", disabled: true }, t("settings_discard"));
        this.reload = element("button", { type: "button", id: "settings_restart_gradio" }, t("reload_page"));
        this.reload.onclick = () => location.reload();
        this.discard.onclick = () => this.rows.forEach((row) => row.set(row.saved));
        this.nav = element("nav", { className: "settings-nav", ariaLabel: t("settings_sections") });
        this.body = element("div", { className: "settings-body" });
        this.none = element("p", { className: "settings-empty", hidden: true }, t("settings_none"));
        let heading = "";
        for (const one of pages) {
            if (one.heading !== heading) this.nav.append(element("h3", {}, one.heading || t("settings_other")));
            heading = one.heading;
            this.section(one);
        }
        this.nav.append(element("h3", {}, t("about_heading")));
        for (const one of otherPages()) this.drawn(one);
        this.all = element("button", { type: "button", id: "settings_show_all_pages" }, t("settings_show_all"));
        this.all.onclick = () => this.open(this.all);
        this.nav.append(this.all);
        this.body.append(this.none);
        root.replaceChildren(
            element(
                "div",
                { className: "settings-top own-buttons" },
                this.search,
                element("label", { className: "settings-toggle" }, this.onlyChanged, element("span", {}, t("settings_only_changed"))),
                this.reload,
                this.discard,
                this.apply,
            ),
            element("div", { className: "settings-main" }, this.nav, this.body),
        );
        this.open(this.nav.querySelector("button"));
        this.count();
    }

    section({ id, label, settings }) {
        const button = element("button", { type: "button", id: `settings_${id}-button` }, label);
        button.onclick = () => ((this.search.value = ""), (this.onlyChanged.checked = false), this.open(button));
        this.nav.append(button);
        const box = element("section", { id: `column_settings_${id}` }, element("h2", {}, label));
        const rows = settings.flatMap((setting) => [...(setting.key === "notification_audio" ? [new NoticesRow()] : []), new Row(setting, () => this.count())]);
        box.append(...rows.map((row) => row.box));
        this.rows.push(...rows);
        this.body.append(box);
        this.sections.push({ button, box, rows });
    }

    /** A page that holds no settings and is drawn when it is first opened. */
    drawn({ id, label, draw }) {
        const button = element("button", { type: "button", id: `settings_${id}-button` }, label);
        const box = element("section", { id: `column_settings_${id}`, hidden: true }, element("h2", {}, label));
        box.dataset.drawn = "yes";
        let first = true;
        button.onclick = () => {
            this.search.value = "";
            this.onlyChanged.checked = false;
            this.open(button);
            if (first) Promise.resolve(draw(box)).catch((error) => toast(error.message, "error"));
            first = false;
        };
        this.nav.append(button);
        this.body.append(box);
        this.sections.push({ button, box, rows: [] });
    }

    open(button) {
        this.current = button;
        this.filter();
        this.body.scrollTop = 0;
        // On a phone the pages are one line that scrolls.
        const [place, line] = [button.getBoundingClientRect(), this.nav.getBoundingClientRect()];
        if (this.nav.scrollWidth > this.nav.clientWidth) this.nav.scrollBy({ left: place.left + place.width / 2 - line.left - line.width / 2 });
    }

    filter() {
        const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
        const everywhere = words.length > 0 || this.onlyChanged.checked || this.current === this.all;
        let any = false;
        for (const { button, box, rows } of this.sections) {
            for (const row of rows)
                row.box.hidden = !words.every((word) => row.words.includes(word)) || (this.onlyChanged.checked && !row.changed);
            box.hidden = everywhere ? rows.every((row) => row.box.hidden) : button !== this.current;
            any ||= !box.hidden;
            if (!everywhere && button === this.current) button.setAttribute("aria-current", "page");
            else button.removeAttribute("aria-current");
        }
        if (this.current === this.all && !words.length) this.all.setAttribute("aria-current", "page");
        else this.all.removeAttribute("aria-current");
        this.none.hidden = any;
    }

    count() {
        const unsaved = this.rows.filter((row) => row.unsaved);
        this.apply.disabled = this.discard.disabled = unsaved.length === 0;
        this.apply.textContent = unsaved.length ? t("settings_apply_count", { count: unsaved.length }) : t("settings_apply");
        for (const { button, rows } of this.sections) {
            button.classList.toggle("has-changed", rows.some((row) => row.changed));
            button.classList.toggle("has-unsaved", rows.some((row) => row.unsaved));
        }
    }

    async save() {
        const unsaved = this.rows.filter((row) => row.unsaved);
        this.apply.disabled = true;
        try {
            const answer = await fetch(address("internal/gui/settings"), {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify(Object.fromEntries(unsaved.map((row) => [row.setting.key, row.value]))),
            });
            const told = await answer.json();
            if (!answer.ok) return tell(told.detail ?? `${answer.status}`);
            for (const row of unsaved) row.keep(told.values[row.setting.key] ?? row.value);
            toast(t("settings_saved", { count: told.changed.length }), "info");
            document.dispatchEvent(new Event("atelier:settings"));
            if (unsaved.some((row) => row.setting.reload)) toast(t("settings_reload"), "warning", 0);
            else document.getElementById("refresh_choices")?.click();
        } catch (error) {
            toast(t("settings_not_saved", { message: error.message }), "error");
        } finally {
            this.count();
        }
    }
}

class Row {
    constructor(setting, onchange) {
        this.setting = setting;
        this.saved = setting.value;
        this.value = setting.value;
        this.onchange = onchange;
        this.words = [setting.label, setting.english, setting.key, setting.help].join(" ").toLowerCase();
        const name = `setting_${setting.key}`;
        // The row on top of the page has A1111's id of its settings.
        const id = document.querySelector(`#quicksettings #${CSS.escape(name)}`) ? `${name}_row` : name;
        const inside = `${id}.field`;
        const [field, write] = FIELDS[setting.control.type](setting, inside, (value) => this.set(value, true));
        this.write = write;
        const reset = element("button", { type: "button", className: "reset", title: t("settings_reset"), ariaLabel: t("settings_reset") }, "↺");
        reset.onclick = () => this.set(setting.default);
        const label = element("label", { htmlFor: inside, title: setting.english === setting.label ? setting.key : `${setting.english} (${setting.key})` }, setting.label);
        this.box = element(
            "div",
            { id, className: `setting setting-${setting.control.type}` },
            element("div", { className: "setting-name" }, label, setting.reload ? element("span", { className: "needs-reload" }, t("settings_needs_reload")) : null, reset),
            field,
            setting.help ? element("p", { className: "setting-help" }, setting.help) : null,
            setting.idle ? element("p", { className: "setting-help setting-idle" }, t("setting_idle")) : null,
        );
        this.mark();
    }

    set(value, fromField = false) {
        this.value = value;
        if (!fromField) this.write(value);
        this.mark();
        this.onchange();
    }

    keep(value) {
        this.saved = value;
        this.set(value);
    }

    get changed() {
        return !same(this.value, this.setting.default);
    }

    get unsaved() {
        return !same(this.value, this.saved);
    }

    mark() {
        this.box.classList.toggle("changed", this.changed);
        this.box.classList.toggle("unsaved", this.unsaved);
    }
}

/** Whether this browser tells that pictures are ready: its own to know, so no setting of the server's. */
class NoticesRow {
    changed = false;
    unsaved = false;

    constructor() {
        const box = element("input", { type: "checkbox", id: "browser_notices", checked: wantsNotices(), disabled: !canNotify() });
        box.onchange = async () => {
            await wishNotices(box.checked);
            box.checked = wantsNotices();
        };
        const help = canNotify() ? t("notify_setting_help") : t("action_notify_none");
        this.words = [t("notify_setting"), help].join(" ").toLowerCase();
        this.box = element(
            "div",
            { className: "setting setting-checkbox" },
            element("div", { className: "setting-name" }, element("label", { htmlFor: box.id }, t("notify_setting"))),
            box,
            element("p", { className: "setting-help" }, help),
        );
    }

    set() {}
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
