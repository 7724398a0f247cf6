// A pane of cards that an extension lists. Its cards say in JavaScript what a click puts into the prompt, as A1111's do.
import { Pane } from "./cards.js";
import { address, element, t } from "./texts.js";

const said = (code) => {
    try {
        // The extension's own code, like its scripts on this page; `opts` are the settings.
        return String(new Function("opts", `return (${code});`)(window.opts ?? window.atelierBoot.options) ?? "");
    } catch {
        return "";
    }
};

export class ExtensionPane extends Pane {
    get source() {
        const [, name] = this.kind.split("/");
        return `internal/a1111/cards/${name}`;
    }

    async load(offset, limit) {
        const query = new URLSearchParams({ ...this.asked, offset, limit });
        const answer = await fetch(address(`${this.source}?${query}`));
        if (!answer.ok) throw new Error(t("event_failed", { status: answer.status }));
        const found = await answer.json();
        for (const card of found.cards) Object.assign(card, { prompt: said(card.prompt), negative_prompt: said(card.negative_prompt) });
        this.count.textContent = t("cards_count", { count: found.total });
        this.grid.hint = t(this.asked.search ? "cards_none_found" : "cards_none");
        return found;
    }

    async overview() {
        this.showOverview({ folders: [], bases: {} });
    }

    async renew() {
        await fetch(address(`${this.source}/refresh`), { method: "POST" });
    }

    async click(card) {
        if (!card.onclick) return super.click(card);
        return new Function("event", card.onclick)(null);
    }

    async edit(card) {
        const close = element("button", { type: "button" }, t("close"));
        const about = { ...card.notes, ...(Object.keys(card.metadata).length ? { metadata: card.metadata } : {}) };
        const dialog = element("dialog", { className: "card-about" }, element("h2", {}, card.name), element("p", {}, card.path), element("pre", {}, JSON.stringify(about, null, 2)), close);
        close.onclick = () => dialog.close();
        dialog.onclose = () => dialog.remove();
        document.body.append(dialog);
        dialog.showModal();
    }

    takeDrops() {}
}
