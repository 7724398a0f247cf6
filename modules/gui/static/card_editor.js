// What people note beside a model, its picture, and what training left in its file.
import { base64, button, post } from "./models.js";
import { sheet } from "./prompt.js";
import { addressOfSelected } from "./results.js";
import { address, element, t } from "./texts.js";
import { fetched } from "./upload.js";

const SD_VERSIONS = ["", "SD1", "SD2", "SDXL", "Unknown"];
// What trainers write, and how it is called here, in the order in which it is shown.
const facts = () => ({
    ss_output_name: t("card_fact_name"),
    ss_sd_model_name: t("card_fact_model"),
    ss_base_model_version: t("card_fact_base"),
    ss_clip_skip: t("card_fact_clip_skip"),
    ss_network_module: t("card_fact_module"),
    ss_network_dim: t("card_fact_rank"),
    ss_network_alpha: t("card_fact_alpha"),
    ss_num_train_images: t("card_fact_images"),
    ss_num_epochs: t("card_fact_epochs"),
    ss_steps: t("card_fact_steps"),
    ss_resolution: t("card_fact_resolution"),
    ss_learning_rate: t("card_fact_rate"),
});

export class CardEditor {
    constructor(pane, card) {
        Object.assign(this, { pane, card, changes: {} });
        this.said = element("p", { className: "dialog-said", role: "status" });
        this.tell = (text) => (this.said.textContent = text);
    }

    async open(part) {
        await sheet("dialogs.css");
        const answer = await fetch(address(`internal/models/metadata/${this.pane.kind}?name=${encodeURIComponent(this.card.name)}`));
        this.known = answer.ok ? await answer.json() : { metadata: {}, tags: {} };
        this.fields = {};
        const editing = part === "edit";
        this.box = element(
            "dialog",
            { className: "own-dialog own-fields card-editor", id: `${this.pane.tab}_${this.pane.page}_edit_user_metadata` },
            element("h2", {}, this.card.name),
            ...(editing ? this.notes() : this.facts()),
            this.said,
            element(
                "div",
                { className: "dialog-buttons own-buttons" },
                element("span", { className: "dialog-gap" }),
                button(t("dialog_close"), () => this.box.close(), this.tell),
                editing ? button(t("dialog_save"), () => this.save(), this.tell, { className: "primary card-save" }) : null,
            ),
        );
        this.box.setAttribute("aria-label", this.card.name);
        this.box.addEventListener("close", () => this.box.remove());
        document.body.append(this.box);
        this.box.showModal();
    }

    notes() {
        const { kind } = this.pane;
        const { notes, description } = this.card;
        const text = (key, label, rows, value = notes[key] ?? "") => this.field(key, label, element("textarea", { rows, value }));
        const network = kind === "loras" || kind === "hypernetworks";
        return [
            this.picture(),
            text("description", t("card_description"), 2, description),
            network ? this.weight(notes["preferred weight"] ?? 0) : null,
            kind === "checkpoints" ? this.field("vae", t("card_vae"), element("input", { type: "text", value: notes.vae ?? "" })) : this.version(notes["sd version"] ?? ""),
            kind === "checkpoints" ? null : text("activation text", t("card_activation"), 2),
            this.tags(),
            kind === "checkpoints" ? null : text("negative text", t("card_negative"), 2),
            text("notes", t("card_notes"), 3),
        ].filter(Boolean);
    }

    /** A labelled field whose value goes to the notes under `key`. */
    field(key, label, input, value = () => input.value) {
        const before = input.value;
        this.fields[key] = () => (input.value === before ? undefined : value());
        this.inputs = { ...this.inputs, [key]: input };
        return element("label", {}, label, input);
    }

    weight(value) {
        const shown = element("output", {}, Number(value) ? `${value}` : t("card_weight_default"));
        const slider = element("input", { type: "range", min: 0, max: 2, step: 0.01, value: Number(value) });
        slider.oninput = () => (shown.textContent = Number(slider.value) ? slider.value : t("card_weight_default"));
        const made = this.field("preferred weight", `${t("card_weight")} `, slider, () => Number(slider.value));
        made.insertBefore(shown, slider);
        return made;
    }

    version(value) {
        const known = SD_VERSIONS.includes(value) ? SD_VERSIONS : [...SD_VERSIONS, value];
        const options = known.map((name) => element("option", { value: name, selected: name === value }, name || "—"));
        return this.field("sd version", t("card_version"), element("select", {}, ...options));
    }

    /** The tags it was trained with: a click puts one into the activation text, another takes it out. */
    tags() {
        const names = Object.entries(this.known.tags);
        const target = this.inputs["activation text"];
        if (!names.length || !target) return null;
        const parts = () => target.value.split(",").map((part) => part.trim()).filter(Boolean);
        const buttons = names.slice(0, 60).map(([name, count]) => {
            const made = element("button", { type: "button", className: "tag-chip" }, name, element("small", {}, `${count}`));
            made.onclick = () => {
                const rest = parts().filter((part) => part !== name);
                target.value = (rest.length === parts().length ? [...rest, name] : rest).join(", ");
                mark();
            };
            return [made, name];
        });
        const mark = () => buttons.forEach(([made, name]) => made.setAttribute("aria-pressed", parts().includes(name)));
        target.addEventListener("input", mark);
        mark();
        return element("div", { className: "tag-chips" }, element("p", {}, t("card_tags")), ...buttons.map(([made]) => made));
    }

    picture() {
        this.frame = element("div", { className: "card-picture" });
        this.showPicture();
        const input = element("input", { type: "file", accept: "image/*", hidden: true });
        input.onchange = () => input.files[0] && this.replace(input.files[0]).catch((error) => this.tell(error.message));
        const current = button(t("card_preview_current"), async () => {
            const url = addressOfSelected(this.pane.tab);
            if (!url) throw new Error(t("no_picture_to_send"));
            await this.replace(await fetched(url));
        }, this.tell);
        const upload = element("button", { type: "button" }, t("card_preview_upload"));
        upload.onclick = () => input.click();
        return element("div", { className: "card-picture-row own-buttons" }, this.frame, element("div", {}, current, upload, input));
    }

    showPicture() {
        const { preview } = this.card;
        this.frame.replaceChildren(preview ? element("img", { src: address(preview.replace("/preview/", "/thumbnail/")), alt: "" }) : t("card_no_preview"));
    }

    async replace(blob) {
        const { kind } = this.pane;
        this.card = await post("models/preview", { kind, name: this.card.name, data: await base64(blob) });
        this.showPicture();
        await this.pane.grid.refresh();
    }

    async save() {
        const changed = Object.entries(this.fields).map(([key, value]) => [key, value()]);
        const changes = Object.fromEntries(changed.filter(([, value]) => value !== undefined));
        await post("models/notes", { kind: this.pane.kind, name: this.card.name, changes });
        this.box.close();
        await this.pane.grid.refresh();
    }

    facts() {
        const { metadata, tags } = this.known;
        const { card } = this;
        const own = [
            [t("models_file"), card.path],
            [t("card_fact_size"), t("card_megabytes", { count: (card.size / 1e6).toFixed(1) })],
            [t("card_fact_changed"), new Date(card.modified * 1000).toLocaleString(window.atelierBoot.language)],
            [t("card_fact_hash"), card.hash.slice(0, 12)],
        ];
        const said = Object.entries(facts()).filter(([key]) => metadata[key] !== undefined && metadata[key] !== "None").map(([key, name]) => [name, plain(metadata[key])]);
        const rows = [...own, ...said].filter(([, value]) => value);
        const list = element("dl", { className: "card-facts" }, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, `${value}`)]));
        const chips = Object.entries(tags).slice(0, 60).map(([name, count]) => element("span", { className: "tag-chip" }, name, element("small", {}, `${count}`)));
        const rest = Object.keys(metadata).length
            ? element("details", {}, element("summary", {}, t("card_all_metadata")), element("pre", {}, JSON.stringify(metadata, null, 2)))
            : element("p", { className: "dialog-hint" }, t("card_no_metadata"));
        return [list, chips.length ? element("div", { className: "tag-chips" }, element("p", {}, t("card_tags")), ...chips) : null, rest].filter(Boolean);
    }
}

const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : `${value}`);
