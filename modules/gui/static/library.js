// The Library tab: pictures by search, a page at a time. Only small versions are in the grid.
import { showDetail } from "./library_detail.js";
import { compare } from "./library_compare.js";
import { showTrash } from "./library_trash.js";
import { post } from "./models.js";
import { sources } from "./send.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { told } from "./told.js";

const PAGE = 120;
const FOLLOW_INDEXING_MS = 1500;
const TYPING_MS = 250;

let library = null;

export async function openLibrary() {
    const root = document.getElementById("library");
    if (!root) return;
    if (library?.root !== root) {
        await style();
        library = new Library(root);
    }
    await library.search();
}

/** The infotext of the picture that is shown large, in the first place of an event's values. */
export const libraryText = (_, ...values) => [library?.shown?.infotext ?? "", ...values];

sources.library = () => library?.shown && fileOf(library.shown);

export async function get(path, values = {}) {
    const url = address(`internal/gallery${path}`);
    for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
    const answer = await fetch(url);
    const found = await answer.json().catch(() => null);
    if (!answer.ok) throw new Error((await told(found?.detail ?? `${answer.status}`)).text);
    return found;
}

export const send = (path, body) => post(`gallery${path}`, body);
export const fileOf = (picture) => address(`internal/gallery/picture/${picture.id}/file?v=${picture.version}`).href;
const smallOf = (picture) => address(`internal/gallery/picture/${picture.id}/thumbnail?v=${picture.version}`).href;

function style() {
    const link = element("link", { rel: "stylesheet", href: new URL("library.css", import.meta.url).href });
    return new Promise((done) => {
        link.onload = link.onerror = done;
        document.head.append(link);
    });
}

class Library {
    constructor(root) {
        this.root = root;
        this.pictures = [];
        this.selected = new Set();
        this.shown = null;
        this.question = 0;
        this.bar();
        this.grid = element("div", { className: "library-grid", id: "library_grid", role: "list" });
        this.note = element("p", { className: "library-note", role: "status" });
        this.end = element("div", { className: "library-end" });
        this.actions = element("div", { className: "library-actions", hidden: true });
        this.root.replaceChildren(this.top, this.actions, this.note, this.grid, this.end);
        new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.more(), {
            rootMargin: "900px",
        }).observe(this.end);
        this.grid.onkeydown = (event) => this.key(event);
    }

    bar() {
        this.input = element("input", {
            type: "search",
            id: "library_search",
            placeholder: t("library_search"),
            ariaLabel: t("library_search"),
            title: t("library_help"),
        });
        this.input.oninput = () => {
            clearTimeout(this.typing);
            this.typing = setTimeout(() => this.search(), TYPING_MS);
        };
        this.order = element(
            "select",
            { ariaLabel: t("library_newest") },
            ...["newest", "oldest"].map((value) => element("option", { value }, t(`library_${value}`))),
        );
        this.model = element("select", { ariaLabel: t("library_all_models") });
        this.order.onchange = this.model.onchange = () => this.search();
        this.favourites = element("button", { type: "button", ariaPressed: "false" }, `★ ${t("library_favourites")}`);
        this.favourites.onclick = () => {
            this.favourites.ariaPressed = String(this.favourites.ariaPressed !== "true");
            this.search();
        };
        const refresh = element("button", {
            type: "button",
            id: "library_refresh",
            className: "icon-refresh",
            title: t("library_refresh"),
        });
        refresh.ariaLabel = t("library_refresh");
        refresh.onclick = async () => {
            await send("/refresh", {});
            await this.search();
        };
        const trash = element("button", { type: "button", id: "library_trash" }, t("library_trash"));
        trash.onclick = () => showTrash(this);
        this.top = element(
            "div",
            { className: "library-bar" },
            ...[this.input, this.model, this.order, this.favourites, refresh, trash],
        );
    }

    get wanted() {
        const words = [this.input.value.trim()];
        if (this.model.value) words.push(`model:"${this.model.value}"`);
        if (this.favourites.ariaPressed === "true") words.push("is:favourite");
        return words.filter(Boolean).join(" ");
    }

    /** Asks anew; answers of older questions are dropped. */
    async search() {
        const question = ++this.question;
        this.next = "";
        this.selected.clear();
        this.said();
        this.pictures = [];
        try {
            const [page, counted, models] = await Promise.all([
                get("", { search: this.wanted, order: this.order.value, limit: PAGE }),
                get("/count", { search: this.wanted }),
                get("/values/model"),
            ]);
            if (question !== this.question) return;
            this.listModels(models);
            this.grid.replaceChildren();
            this.add(page);
            this.tell(page, counted.count);
        } catch (error) {
            this.grid.replaceChildren();
            this.note.textContent = error.message;
        }
    }

    listModels(models) {
        const chosen = this.model.value;
        const all = element("option", { value: "" }, t("library_all_models"));
        const options = models.map(({ value, count }) => element("option", { value }, `${value} (${count})`));
        this.model.replaceChildren(all, ...options);
        this.model.value = models.some((one) => one.value === chosen) ? chosen : "";
    }

    tell(page, count) {
        clearTimeout(this.following);
        this.note.textContent = t("library_count", { count });
        if (!count) this.note.textContent = t(this.wanted ? "library_nothing" : "library_empty");
        if (page.indexing) {
            this.note.textContent = t("library_indexing", { count: page.indexed });
            this.following = setTimeout(() => this.root.isConnected && this.search(), FOLLOW_INDEXING_MS);
        }
    }

    async more() {
        if (!this.next || this.loading) return;
        this.loading = true;
        const question = this.question;
        try {
            const values = { search: this.wanted, order: this.order.value, limit: PAGE, after: this.next };
            const page = await get("", values);
            if (question === this.question) this.add(page);
        } catch (error) {
            toast(error.message, "error");
        } finally {
            this.loading = false;
        }
    }

    add(page) {
        this.next = page.next;
        for (const picture of page.pictures) {
            const place = this.pictures.push(picture) - 1;
            this.grid.append(this.tile(picture, place));
        }
    }

    tile(picture, place) {
        const image = element("img", { loading: "lazy", decoding: "async", src: smallOf(picture), alt: picture.name });
        const open = element("button", { type: "button", className: "library-open", title: picture.name }, image);
        open.onclick = (event) => (event.shiftKey || event.ctrlKey ? this.toggle(place) : this.show(place));
        const check = element("input", { type: "checkbox", ariaLabel: t("library_select", { name: picture.name }) });
        check.checked = this.selected.has(picture.id);
        check.onchange = () => this.toggle(place);
        const tile = element("div", { className: "library-tile", role: "listitem" }, open, check);
        tile.classList.toggle("favourite", picture.favourite);
        tile.dataset.place = place;
        return tile;
    }

    key(event) {
        const tile = event.target.closest(".library-tile");
        if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
        const columns = getComputedStyle(this.grid).gridTemplateColumns.split(" ").length;
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        const place = Number(tile.dataset.place);
        if (step) this.grid.children[place + step]?.querySelector("button").focus();
        else if (event.key === "Delete") this.remove([this.pictures[place]]);
        else if (event.key === "f") this.favour(this.pictures[place]);
        else return;
        event.preventDefault();
    }

    toggle(place) {
        const { id } = this.pictures[place];
        if (!this.selected.delete(id)) this.selected.add(id);
        const tile = this.grid.children[place];
        tile.querySelector("input").checked = this.selected.has(id);
        tile.classList.toggle("selected", this.selected.has(id));
        this.said();
    }

    get chosen() {
        return this.pictures.filter((picture) => this.selected.has(picture.id));
    }

    /** The bar of what can be done with the selected ones. */
    said() {
        this.actions.hidden = !this.selected.size;
        if (this.actions.hidden) return;
        const act = (key, work, properties = {}) => {
            const button = element("button", { type: "button", ...properties }, t(key));
            button.onclick = () => work().catch((error) => toast(error.message, "error"));
            return button;
        };
        const tag = element("input", { type: "text", placeholder: t("library_tag_selected") });
        tag.ariaLabel = t("library_tag_selected");
        tag.onchange = () => this.tagAll(tag.value).catch((error) => toast(error.message, "error"));
        this.actions.replaceChildren(
            element("span", {}, t("library_selected", { count: this.selected.size })),
            act("library_favour", () => Promise.all(this.chosen.map((one) => this.favour(one, true)))),
            tag,
            act("library_compare", async () => compare(...this.chosen), { disabled: this.selected.size !== 2 }),
            act("library_delete", () => this.remove(this.chosen), { className: "danger" }),
            act("library_unselect", async () => {
                this.selected.clear();
                for (const tile of this.grid.querySelectorAll(".selected")) {
                    tile.classList.remove("selected");
                    tile.querySelector("input").checked = false;
                }
                this.said();
            }),
        );
    }

    async favour(picture, favourite = !picture.favourite) {
        Object.assign(picture, await send(`/picture/${picture.id}/favourite`, { favourite }));
        this.grid.children[this.pictures.indexOf(picture)]?.classList.toggle("favourite", picture.favourite);
    }

    async tag(picture, tags) {
        Object.assign(picture, await send(`/picture/${picture.id}/tags`, { tags }));
    }

    async tagAll(text) {
        const added = text.split(",");
        await Promise.all(this.chosen.map((one) => this.tag(one, [...one.tags, ...added])));
    }

    async remove(pictures) {
        if (!pictures.length) return;
        try {
            const { names } = await send("/delete", { ids: pictures.map((one) => one.id) });
            const box = toast(t("library_deleted", { count: names.length }), "info", 12);
            const undo = element("button", { type: "button", className: "toast-action" }, t("library_undo"));
            undo.onclick = async () => {
                box.remove();
                await send("/restore", { names }).catch((error) => toast(error.message, "error"));
                await this.search();
            };
            box.append(undo);
        } catch (error) {
            toast(error.message, "error");
        }
        await this.search();
    }

    async show(place) {
        if (place < 0 || place >= this.pictures.length) return;
        if (place > this.pictures.length - 10) this.more();
        try {
            this.shown = await get(`/picture/${this.pictures[place].id}`);
            showDetail(this, place);
        } catch (error) {
            toast(error.message, "error");
        }
    }
}
