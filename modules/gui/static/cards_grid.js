// A grid of ten thousand cards of which only those in view are in the document; the rest is the height of a box.
import { safeHtml } from "./safe_html.js";
import { address, element, t } from "./texts.js";

const PAGE = 100;
const GAP = 10;
// Rows above and below the view: what a fast finger scrolls before the next frame.
const SPARE = 2;
const [WIDTH, HEIGHT] = [164, 232];

export class CardGrid {
    /** `load(offset, limit)` -> { total, cards }; `act(card, what)` on a click; `chosen(card)`: is it in use? */
    constructor(id, options, { load, act, chosen }) {
        Object.assign(this, { options, load, act, chosen, pages: new Map(), shown: new Map(), total: 0, round: 0, hint: "" });
        this.field = element("div", { className: "cards-field" });
        this.scroller = element("div", { id, className: "extra-network-cards" }, this.field);
        this.scroller.addEventListener("scroll", () => this.soon(), { passive: true });
        this.scroller.addEventListener("click", (event) => this.clicked(event));
        new ResizeObserver(() => this.soon()).observe(this.scroller);
        this.width = Number(options.extra_networks_card_width) || WIDTH;
        this.height = Number(options.extra_networks_card_height) || HEIGHT;
        this.scroller.style.setProperty("--card-height", `${this.height}px`);
        this.scroller.style.setProperty("--card-text", options.extra_networks_card_text_scale);
    }

    /** Another search or order: from the top. */
    async restart() {
        this.scroller.scrollTop = 0;
        await this.refresh();
    }

    /** The same again: something may have changed. */
    async refresh() {
        this.round++;
        this.pages.clear();
        await this.page(Math.floor(this.range()[0] / PAGE));
        for (const card of this.shown.values()) card.remove();
        this.shown.clear();
        this.draw();
    }

    soon() {
        this.frame ??= requestAnimationFrame(() => {
            this.frame = null;
            this.draw();
        });
    }

    /** Marks the cards whose words stand in a prompt. */
    mark() {
        for (const [index, made] of this.shown) {
            const card = this.card(index);
            const chosen = Boolean(card && this.chosen(card));
            made.classList.toggle("chosen", chosen);
            made.querySelector(".card-main").setAttribute("aria-pressed", chosen);
        }
    }

    card = (index) => this.pages.get(Math.floor(index / PAGE))?.cards?.[index % PAGE];

    get columns() {
        return Math.max(2, Math.floor((this.field.clientWidth + GAP) / (this.width + GAP)));
    }

    /** The first card that is drawn, and the one behind the last. */
    range() {
        const row = this.height + GAP;
        const first = Math.max(0, Math.floor(this.scroller.scrollTop / row) - SPARE) * this.columns;
        const rows = Math.ceil((this.scroller.clientHeight || 600) / row) + 2 * SPARE;
        return [first, first + rows * this.columns];
    }

    async page(number) {
        if (this.pages.has(number)) return;
        const { round } = this;
        this.pages.set(number, {});
        try {
            const found = await this.load(number * PAGE, PAGE);
            if (round !== this.round) return;
            this.pages.set(number, found);
            this.total = found.total;
        } catch (error) {
            if (round !== this.round) return;
            this.pages.delete(number);
            this.hint = error.message;
        }
    }

    draw() {
        // Nothing is drawn while the tab is closed.
        if (!this.scroller.clientWidth) return;
        const { columns, total } = this;
        const wide = (this.field.clientWidth - (columns - 1) * GAP) / columns;
        const [first, end] = this.range();
        this.field.style.height = `${Math.max(0, Math.ceil(total / columns) * (this.height + GAP) - GAP)}px`;
        this.empty(total === 0);
        for (const [index, card] of this.shown) {
            if (index >= first && index < Math.min(end, total)) continue;
            card.remove();
            this.shown.delete(index);
        }
        for (let index = first; index < Math.min(end, total); index++) {
            const card = this.card(index);
            if (!card) {
                const number = Math.floor(index / PAGE);
                if (!this.pages.has(number)) this.page(number).then(() => this.soon());
                continue;
            }
            if (!this.shown.has(index)) {
                const made = this.made(card);
                made.dataset.index = index;
                this.shown.set(index, made);
                this.field.append(made);
            }
            const { style } = this.shown.get(index);
            style.width = `${wide}px`;
            style.transform = `translate(${(index % columns) * (wide + GAP)}px, ${Math.floor(index / columns) * (this.height + GAP)}px)`;
        }
        this.mark();
    }

    empty(none) {
        this.note?.remove();
        this.note = none && !this.pages.get(0)?.then ? element("p", { className: "cards-none" }, this.hint) : null;
        if (this.note) this.field.before(this.note);
    }

    made(card) {
        const name = card.name.split(/[\\/]/).at(-1);
        const tool = (kind, text) => element("button", { type: "button", className: `card-button ${kind}`, title: text, ariaLabel: `${text}: ${name}` });
        const buttons = element(
            "div",
            { className: "button-row" },
            tool("copy-path-button", t("cards_copy")),
            tool("metadata-button info", t("cards_info")),
            tool("edit-button", t("cards_edit")),
        );
        // Beside the small buttons, not around them: a button in a button is none to a screen reader.
        const main = element("button", { type: "button", className: "card-main", ariaLabel: name });
        const made = element("div", { className: "card", title: card.place }, main);
        if (card.preview) {
            const image = element("img", { className: "preview", alt: "", loading: "lazy", decoding: "async", draggable: false });
            image.src = address(card.preview.replace("/preview/", "/thumbnail/"));
            made.append(image);
        } else {
            made.append(element("div", { className: "no-preview", ariaHidden: "true" }, [...name][0]?.toUpperCase() ?? ""));
        }
        const description = element("span", { className: "description" });
        if (this.options.extra_networks_card_show_desc && card.description) {
            if (this.options.extra_networks_card_description_is_html) description.append(safeHtml(card.description));
            else description.textContent = card.description;
        }
        made.append(
            buttons,
            element(
                "div",
                { className: "actions" },
                element("div", { className: "additional" }, element("span", { className: "search_terms", hidden: true }, card.place)),
                element("span", { className: "name" }, name),
                description,
                card.base ? element("span", { className: "card-base" }, card.base) : null,
            ),
        );
        Object.assign(made.dataset, { name: card.name, sortPath: card.place.toLowerCase(), sortName: card.name.toLowerCase() });
        // Scripts know them by these names, with an underscore.
        made.setAttribute("data-sort-date_created", Math.floor(card.created));
        made.setAttribute("data-sort-date_modified", Math.floor(card.modified));
        return made;
    }

    clicked({ target }) {
        const made = target.closest(".card");
        const card = made && this.card(Number(made.dataset.index));
        if (!card) return;
        const kinds = { "copy-path-button": "copy", "metadata-button": "info", "edit-button": "edit" };
        const button = target.closest(".card-button");
        const what = button ? kinds[Object.keys(kinds).find((name) => button.classList.contains(name))] : "click";
        this.act(card, what);
    }
}
