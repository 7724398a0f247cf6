// The editor of styles: named pieces of prompt in A1111's styles.csv. Opened by the brush beside the list of styles.
import { button, post } from "./models.js";
import { promptOf, sheet } from "./prompt.js";
import { rewrite } from "./prompt_text.js";
import { address, element, t } from "./texts.js";

const editors = {};

export async function openStyles(tab) {
    await sheet("dialogs.css");
    editors[tab] ??= new StylesEditor(tab);
    return editors[tab].open();
}

class StylesEditor {
    constructor(tab) {
        this.tab = tab;
        const said = element("p", { className: "dialog-said", role: "status" });
        this.tell = (text) => (said.textContent = text);
        // Each part stands in a block with the id that A1111 gives it.
        const part = (id, ...inside) => element("div", { id: `${tab}_${id}`, className: "dialog-part" }, ...inside);
        this.names = element("datalist", { id: `${tab}_styles_names` });
        this.name = element("input", { type: "text", autocomplete: "off" });
        this.name.setAttribute("list", this.names.id);
        this.name.oninput = () => this.show();
        this.prompt = element("textarea", { rows: 3 });
        this.negative = element("textarea", { rows: 3 });
        const press = (id, text, work, className = "") => button(text, work, this.tell, { id: `${tab}_${id}`, className });
        this.remove = press("edit_style_delete", t("styles_delete"), () => this.drop(), "trouble");
        this.box = element(
            "dialog",
            { id: `${tab}_styles_dialog`, className: "own-dialog own-fields" },
            element("h2", {}, t("styles_title")),
            part("styles_edit_select", element("label", {}, t("styles_name"), this.name), this.names),
            element("p", { className: "dialog-hint" }, t("styles_hint")),
            part("edit_style_prompt", element("label", {}, t("styles_prompt"), this.prompt)),
            part("edit_style_neg_prompt", element("label", {}, t("styles_negative"), this.negative)),
            said,
            element(
                "div",
                { className: "dialog-buttons own-buttons" },
                press("style_copy", t("styles_copy"), () => this.copy()),
                press("style_apply_dialog", t("styles_apply"), () => this.apply()),
                element("span", { className: "dialog-gap" }),
                this.remove,
                press("edit_style_close", t("dialog_close"), () => this.box.close()),
                press("edit_style_save", t("dialog_save"), () => this.save(), "primary"),
            ),
        );
        this.box.setAttribute("aria-label", t("styles_title"));
        document.body.append(this.box);
    }

    async open() {
        await this.load();
        this.tell("");
        this.box.showModal();
        this.show();
    }

    async load() {
        const answer = await fetch(address("internal/prompt/styles"));
        this.styles = (await answer.json()).styles;
        this.names.replaceChildren(...this.styles.map(({ name }) => element("option", { value: name })));
    }

    /** What is known under the name that stands there; a new name keeps what was typed. */
    show() {
        const style = this.styles.find(({ name }) => name === this.name.value);
        this.remove.disabled = !style;
        if (!style) return;
        this.prompt.value = style.prompt;
        this.negative.value = style.negative_prompt;
    }

    /** From the form into the style. */
    copy() {
        this.prompt.value = promptOf(this.tab).value;
        this.negative.value = promptOf(this.tab, true).value;
    }

    /** Into the form: the prompts with the style around them. */
    async apply() {
        const values = { prompt: promptOf(this.tab).value, negative_prompt: promptOf(this.tab, true).value };
        const made = await post("prompt/styles/apply", { ...values, names: [this.name.value] });
        rewrite(promptOf(this.tab), made.prompt);
        rewrite(promptOf(this.tab, true), made.negative_prompt);
        this.box.close();
    }

    async save() {
        const style = { name: this.name.value.trim(), prompt: this.prompt.value, negative_prompt: this.negative.value };
        await this.changed(await post("prompt/styles", style));
        this.tell(t("styles_saved", { name: style.name }));
    }

    async drop() {
        if (!confirm(t("styles_ask_delete", { name: this.name.value }))) return;
        await this.changed(await post("prompt/styles/delete", { name: this.name.value }));
        this.name.value = this.prompt.value = this.negative.value = "";
        this.show();
    }

    async changed() {
        await this.load();
        this.show();
        document.getElementById("refresh_choices")?.click();
    }
}
