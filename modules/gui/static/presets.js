// Named presets of the open tab: a small window to apply, save and delete them.
import { setValues, valuesOf } from "./drafts.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const TABS = ["txt2img", "img2img", "extras", "modelmerger"];
let box = null;

export const handlers = { openPresets };

const openTab = () => TABS.find((tab) => document.getElementById(`${tab}_settings`)?.checkVisibility()) ?? "txt2img";

async function openPresets() {
    const tab = openTab();
    box?.remove();
    box = document.body.appendChild(element("dialog", { className: "presets own-fields own-buttons", id: "presets" }));
    box.setAttribute("aria-labelledby", "presets_title");
    box.onclick = ({ target }) => {
        if (target === box) box.close();
    };
    box.onclose = () => void document.getElementById("open_presets")?.focus();
    draw(tab, await ask(tab));
    box.showModal();
}

function draw(tab, names) {
    const close = element("button", { type: "button", className: "notice-close", ariaLabel: t("close") }, "×");
    close.onclick = () => box.close();
    const name = element("input", { type: "text", id: "presets_name", maxLength: 80, placeholder: t("preset_name"), ariaLabel: t("preset_name") });
    const save = element("button", { type: "submit", className: "primary" }, t("preset_save"));
    const form = element("form", { method: "dialog" }, name, save);
    form.onsubmit = async (event) => {
        event.preventDefault();
        const wanted = name.value.trim();
        if (!wanted) return name.focus();
        if (names.includes(wanted) && !confirm(t("preset_replace", { name: wanted }))) return;
        const left = await change(tab, wanted, valuesOf(tab));
        if (!left) return;
        toast(t("preset_saved", { name: wanted }), "info", 3);
        draw(tab, left);
    };
    const rows = names.map((one) => {
        const apply = element("button", { type: "button", className: "preset" }, one);
        apply.onclick = () => use(tab, one);
        const drop = element("button", { type: "button", className: "notice-close", ariaLabel: t("preset_delete", { name: one }), title: t("preset_delete", { name: one }) }, "×");
        drop.onclick = async () => {
            if (!confirm(t("preset_delete_sure", { name: one }))) return;
            const left = await change(tab, one, null);
            if (left) draw(tab, left);
        };
        return element("li", {}, apply, drop);
    });
    box.replaceChildren(
        element("header", {}, element("h2", { id: "presets_title" }, t("presets_of", { tab: document.getElementById(`tab_${tab}-button`)?.textContent.trim() ?? tab })), close),
        rows.length ? element("ul", {}, ...rows) : element("p", { className: "settings-empty" }, t("preset_none")),
        form,
    );
}

async function use(tab, name) {
    const values = await ask(tab, name);
    if (!values) return;
    setValues(tab, values);
    box.close();
    toast(t("preset_applied", { name }), "info", 3);
}

const route = (tab) => address(`internal/gui/presets/${tab}`);

async function ask(tab, name = null) {
    const url = route(tab);
    if (name !== null) url.searchParams.set("name", name);
    return heard(await fetch(url));
}

async function change(tab, name, values) {
    const headers = { "Content-Type": "application/json" };
    return heard(await fetch(route(tab), { method: "POST", headers, body: JSON.stringify({ name, values }) }));
}

async function heard(answer) {
    const said = await answer.json();
    if (answer.ok) return said;
    tell(said.detail ?? `${answer.status}`);
    return null;
}
