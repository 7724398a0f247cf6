// One pane of cards: searched and sorted by the server, a page at a time; only the cards in view are in the document.
import { CardGrid } from "./cards_grid.js";
import { isIn, toggled } from "./cards_words.js";
import { listen } from "./events.js";
import { post, uploadModel } from "./models.js";
import { promptOf, PROMPTS, sheet } from "./prompt.js";
import { rewrite } from "./prompt_text.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { told } from "./told.js";

const SEARCH_AFTER = 150;
const FITTING = ["sd_model_checkpoint", "lora_show_all", "lora_hide_unknown_for_versions"];
const options = () => window.atelierBoot.options;
// The setting's words -> the server's.
const ORDER = { Path: "path", Name: "name", "Date Created": "date_created", "Date Modified": "date_modified" };
// The prompt that was used last: embeddings belong into either.
const last = {};
document.addEventListener("focusin", ({ target }) => {
    const prompt = target.matches(PROMPTS) && target.closest("[id$='_prompt'], [id$='_neg_prompt']");
    if (prompt) last[prompt.id.split("_")[0]] = target;
});

export class Pane {
    constructor(root, tab, page, kind) {
        Object.assign(this, { root, tab, page, kind });
        this.asked = { search: "", order: ORDER[options().extra_networks_card_order_field] ?? "path", descending: options().extra_networks_card_order === "Descending", folder: "", base: "" };
        this.grid = new CardGrid(`${tab}_${page}_cards`, options(), { load: (offset, limit) => this.load(offset, limit), act: (card, what) => this.act(card, what), chosen: (card) => this.chosen(card) });
        this.watch = (event) => event.target.matches?.(PROMPTS) && this.grid.mark();
    }

    async open() {
        document.addEventListener("input", this.watch);
        if (this.built) {
            this.overview();
            return this.grid.refresh();
        }
        this.built = true;
        // Which LoRAs there are to choose from depends on these.
        if (this.kind === "loras") listen("settings", ({ keys }) => keys.some((key) => FITTING.includes(key)) && this.root.offsetParent && this.grid.restart());
        await sheet("cards.css");
        this.build();
        await Promise.all([this.overview(), this.grid.restart()]);
    }

    close() {
        document.removeEventListener("input", this.watch);
    }

    build() {
        const id = (name) => `${this.tab}_${this.page}_extra_${name}`;
        const search = element("input", { type: "search", id: id("search"), className: "extra-network-control--search-text", placeholder: t("cards_search") });
        search.setAttribute("aria-label", t("cards_search"));
        search.oninput = () => {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.ask({ search: search.value }), SEARCH_AFTER);
        };
        const orders = { path: t("cards_by_path"), name: t("cards_by_name"), date_created: t("cards_by_created"), date_modified: t("cards_by_modified"), size: t("cards_by_size") };
        const sort = element("select", { id: id("sort"), ariaLabel: t("cards_sort") }, ...Object.entries(orders).map(([value, text]) => element("option", { value, selected: value === this.asked.order }, text)));
        sort.onchange = () => this.ask({ order: sort.value });
        this.direction = this.tool(id("sort_dir"), "sort", t("cards_direction"), () => this.ask({ descending: !this.asked.descending }));
        this.direction.setAttribute("aria-pressed", this.asked.descending);
        const dirs = this.tool(id("tree_view"), "folder", t("cards_folders"), () => {
            this.folders.hidden = !this.folders.hidden;
            dirs.setAttribute("aria-pressed", !this.folders.hidden);
        });
        const refresh = this.tool(id("refresh"), "refresh", t("cards_refresh"), async () => {
            await this.renew();
            await this.grid.restart();
            document.getElementById("refresh_choices")?.click();
        });
        this.bases = element("select", { ariaLabel: t("cards_base"), className: "cards-bases", hidden: true });
        this.bases.onchange = () => this.ask({ base: this.bases.value });
        this.count = element("span", { className: "cards-count", role: "status" });
        const tree = options().extra_networks_tree_view_style === "Tree";
        this.folders = element("div", { id: `${this.tab}_${this.page}_${tree ? "tree" : "dirs"}`, className: tree ? "extra-network-tree" : "extra-network-dirs" });
        this.folders.hidden = !options().extra_networks_tree_view_default_enabled;
        if (tree) this.folders.style.flexBasis = `${options().extra_networks_tree_view_default_width}px`;
        dirs.setAttribute("aria-pressed", !this.folders.hidden);
        this.root.classList.toggle("with-tree", tree);
        this.root.replaceChildren(
            element("div", { id: `${this.tab}_${this.page}_controls`, className: "extra-network-control" }, search, this.bases, sort, this.direction, dirs, refresh, this.count),
            element("div", { className: "extra-network-content" }, this.folders, this.grid.scroller),
        );
        this.takeDrops();
    }

    tool(id, icon, text, work) {
        const made = element("button", { type: "button", id, className: `card-tool ${icon}`, title: text, ariaLabel: text });
        made.onclick = () => Promise.resolve(work()).catch((error) => toast(error.message, "error"));
        return made;
    }

    ask(change) {
        Object.assign(this.asked, change);
        this.direction.setAttribute("aria-pressed", this.asked.descending);
        return this.grid.restart();
    }

    async load(offset, limit) {
        const query = new URLSearchParams({ ...this.asked, offset, limit });
        const answer = await fetch(address(`internal/models/cards/${this.kind}?${query}`));
        if (!answer.ok) throw new Error((await told((await answer.json().catch(() => ({}))).detail ?? t("event_failed", { status: answer.status }))).text);
        const found = await answer.json();
        this.count.textContent = t("cards_count", { count: found.total });
        this.grid.hint = this.asked.search || this.asked.folder || this.asked.base ? t("cards_none_found") : t("cards_none");
        return found;
    }

    async overview() {
        const answer = await fetch(address(`internal/models/overview/${this.kind}`)).catch(() => null);
        if (answer?.ok) this.showOverview(await answer.json());
    }

    /** Has the server look at its folders again. */
    async renew() {
        this.showOverview(await post(`models/refresh/${this.kind}`));
    }

    showOverview({ folders, bases }) {
        const names = Object.entries(bases);
        this.bases.hidden = !names.length;
        const all = element("option", { value: "" }, t("cards_all_bases"));
        this.bases.replaceChildren(all, ...names.map(([name, count]) => element("option", { value: name, selected: name === this.asked.base }, `${name} (${count})`)));
        const slash = options().extra_networks_dir_button_function ? "/" : "";
        this.folders.replaceChildren(...["", ...folders].map((folder) => this.folderButton(folder, slash)));
        this.folders.classList.toggle("empty", !folders.length);
    }

    folderButton(folder, slash) {
        const tree = this.root.classList.contains("with-tree");
        const parts = folder.split("/");
        const text = folder ? (tree ? parts.at(-1) : slash + folder) : t("cards_all");
        const made = element("button", { type: "button", className: "folder-button", title: folder }, text);
        if (tree && folder) made.style.paddingLeft = `${10 + 14 * parts.length}px`;
        made.setAttribute("aria-pressed", folder === this.asked.folder);
        made.onclick = () => {
            for (const one of this.folders.children) one.setAttribute("aria-pressed", one === made);
            this.ask({ folder });
        };
        return made;
    }

    /** Whether what a click on `card` puts into a prompt stands there. */
    chosen(card) {
        if (this.kind === "checkpoints") return [card.title, card.title.split("/").at(-1)].includes(document.querySelector("#setting_sd_model_checkpoint input")?.value);
        return [promptOf(this.tab), promptOf(this.tab, true)].some((box) => box && isIn(box.value, card.prompt));
    }

    act(card, what) {
        const work = { click: () => this.click(card), edit: () => this.edit(card, "edit"), info: () => this.edit(card, "info"), copy: () => navigator.clipboard.writeText(card.path).then(() => toast(t("cards_copied"), "info", 2)) }[what];
        return Promise.resolve(work()).catch((error) => toast(error.message, "error"));
    }

    async click(card) {
        if (this.kind === "checkpoints") return this.choose(card);
        const main = promptOf(this.tab);
        const box = this.kind === "embeddings" ? (last[this.tab] ?? main) : main;
        const separator = options().extra_networks_add_text_separator;
        const text = toggled(box.value, card.prompt, separator);
        const added = text.length > box.value.length;
        // The negative words first: Ctrl+Z takes back what was written last, wherever that was.
        const negative = promptOf(this.tab, true);
        if (card.negative_prompt && box !== negative && isIn(negative.value, card.negative_prompt) !== added) {
            rewrite(negative, toggled(negative.value, card.negative_prompt, negative.value.trim() ? ", " : ""));
        }
        rewrite(box, text);
        this.grid.mark();
        return undefined;
    }

    async choose(card) {
        await post("gui/settings", { sd_model_checkpoint: card.title });
        document.getElementById("refresh_choices")?.click();
        toast(t("cards_checkpoint", { name: card.name }), "info", 3);
        setTimeout(() => this.grid.mark(), 800);
    }

    async edit(card, part) {
        const { CardEditor } = await import("./card_editor.js");
        await new CardEditor(this, card).open(part);
    }

    takeDrops() {
        const over = (on) => this.root.classList.toggle("drop-over", on);
        this.root.addEventListener("dragover", (event) => {
            if (![...event.dataTransfer.types].includes("Files")) return;
            event.preventDefault();
            over(true);
        });
        this.root.addEventListener("dragleave", (event) => !this.root.contains(event.relatedTarget) && over(false));
        this.root.addEventListener("drop", async (event) => {
            over(false);
            const files = [...event.dataTransfer.files];
            if (!files.length) return;
            event.preventDefault();
            for (const file of files) await this.install(file);
        });
    }

    async install(file) {
        const note = toast(`${file.name}: ${t("models_uploading", { percent: 0 })}`, "info", 0);
        const line = note.querySelector("p");
        try {
            const placed = await uploadModel(file, (text) => (line.textContent = `${file.name}: ${text}`));
            toast(t("models_placed", { path: placed.path }), "info", 6);
            this.showOverview(await post(`models/refresh/${this.kind}`));
            await this.grid.restart();
        } catch (error) {
            toast(`${file.name}: ${error.message}`, "error");
        } finally {
            note.remove();
        }
    }
}
