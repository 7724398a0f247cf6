// Downloads on the Models tab: a link becomes a line that tells how far it is. The work is the server's; whoever opens
// the page sees the same list.
import { button, post } from "./models.js";
import { address, element, t } from "./texts.js";

const PAUSE_MS = 1000;
const MOVING = new Set(["waiting", "running"]);
// State -> its buttons: text, what the server is told, with which body.
const CANCEL = [t("models_cancel"), "cancel"];
const AFTERWARDS = [[t("models_retry"), "resume"], [t("models_remove"), "cancel"]];
const ACTIONS = {
    waiting: [CANCEL],
    running: [[t("models_pause"), "pause"], CANCEL],
    asking: [[t("models_allow"), "resume", { allow_pickle: true }], CANCEL],
    paused: [[t("models_resume"), "resume"], CANCEL],
    failed: AFTERWARDS,
    cancelled: AFTERWARDS,
    done: [[t("models_remove"), "cancel"]],
};
// State -> what is said of it.
const STATES = {
    waiting: () => t("models_state_waiting"),
    running: (values) => t("models_state_running", values),
    asking: () => t("models_state_asking"),
    paused: (values) => t("models_state_paused", values),
    done: () => t("models_state_done"),
    failed: () => t("models_state_failed"),
    cancelled: () => t("models_state_cancelled"),
};

/** "1.5 GB" of a number of bytes. */
function bytes(count) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const power = count > 0 ? Math.min(Math.floor(Math.log10(count) / 3), units.length - 1) : 0;
    return t("models_bytes", { count: (count / 1000 ** power).toFixed(power > 1 ? 1 : 0), unit: units[power] });
}

export class Downloads {
    constructor() {
        this.timer = null;
        this.shown = "";
        this.link = element("input", { type: "text", placeholder: t("models_link"), ariaLabel: t("models_link"), id: "download_link" });
        const tell = (text) => this.tell(text);
        this.go = button(t("models_download"), () => this.ask(), tell, { className: "primary", id: "download_start" });
        this.link.onkeydown = (event) => event.key === "Enter" && this.go.click();
        this.said = element("div", { className: "models-answer", role: "status", id: "download_said" });
        this.list = element("ul", { className: "models-list", id: "download_list" });
        this.keys = { civitai: this.key("civitai", "Civitai"), hub: this.key("hub", "Hugging Face") };
        this.helpers = element("ul", { className: "models-list" });
        const helpers = element("details", { id: "download_helpers" }, element("summary", {}, t("models_helpers")), this.helpers);
        helpers.ontoggle = () => helpers.open && this.offerHelpers();
        this.box = element(
            "section",
            {},
            element("h2", {}, t("models_download")),
            element("div", { className: "models-line" }, this.link, this.go),
            this.said,
            this.list,
            element(
                "details",
                { id: "download_keys" },
                element("summary", {}, t("models_keys")),
                ...Object.values(this.keys).map((key) => key.line),
            ),
            helpers,
        );
    }

    tell(...parts) {
        this.said.replaceChildren(...parts.map((part) => (typeof part === "string" ? element("p", {}, part) : part)));
    }

    key(site, name) {
        const input = element("input", { type: "password", autocomplete: "off", ariaLabel: name });
        const save = async () => {
            this.mark(await post("downloads/keys", { site, key: input.value.trim() }));
            input.value = "";
            this.tell(t("models_key_saved"));
        };
        const kept = button(t("models_key_save"), save, (text) => this.tell(text));
        return { input, line: element("div", { className: "models-line" }, element("span", {}, name), input, kept) };
    }

    mark(known) {
        for (const [site, is] of Object.entries(known)) {
            this.keys[site].input.placeholder = is ? t("models_key_kept") : t("models_key_none");
        }
    }

    async ask() {
        this.tell(t("models_asking"));
        const link = this.link.value.trim();
        const offers = await post("downloads/offers", { link });
        // A page of one file, or one whose first file is meant: a version on Civitai puts it first.
        if (offers.length === 1) return this.start({ link });
        const choices = offers.map((offer) => {
            const text = `${offer.title || offer.name} · ${offer.name}${offer.size ? ` · ${bytes(offer.size)}` : ""}`;
            const body = { link, name: offers.filter((one) => one.title === offer.title).length > 1 ? offer.name : offer.title };
            return element("li", {}, button(text, () => this.start(body), (sentence) => this.tell(sentence)));
        });
        this.tell(t("models_offers"), element("ul", { className: "models-list" }, ...choices));
    }

    async start(body) {
        await post("downloads", body);
        this.link.value = "";
        this.tell();
        return this.follow();
    }

    /** Draws the list now, and again as long as something moves. */
    async follow() {
        clearTimeout(this.timer);
        const answer = await fetch(address("internal/downloads"));
        if (!answer.ok) return;
        const { downloads, keys } = await answer.json();
        this.mark(keys);
        this.draw(downloads);
        if (downloads.some((one) => MOVING.has(one.state))) this.timer = setTimeout(() => this.follow(), PAUSE_MS);
    }

    draw(downloads) {
        const lines = downloads.map((one) => this.line(one));
        this.list.replaceChildren(...(lines.length ? lines : [element("li", { className: "models-none" }, t("models_none"))]));
    }

    line(one) {
        const share = bytes(one.written);
        const values = { share, total: one.total ? bytes(one.total) : "?", speed: bytes(one.speed) };
        const act = (text, verb, body) =>
            button(text, async () => (await post(`downloads/${one.id}/${verb}`, body), this.follow()), (sentence) => this.tell(sentence));
        const bar = element("progress", { max: 1, ariaLabel: one.name });
        if (one.total) bar.value = one.written / one.total;
        return element(
            "li",
            { className: `models-download ${one.state}` },
            element("strong", {}, one.name),
            element("span", { className: "models-state" }, STATES[one.state](values)),
            one.state === "running" ? bar : null,
            one.path ? element("span", { className: "models-path" }, one.path) : null,
            one.sentence ? element("p", {}, one.sentence) : null,
            element("span", { className: "models-line" }, ...ACTIONS[one.state].map((action) => act(...action))),
        );
    }

    async offerHelpers() {
        const answer = await fetch(address("internal/downloads/helpers"));
        if (!answer.ok) return;
        const lines = (await answer.json()).map((helper) => {
            const start = () => this.start({ link: helper.link, kind: helper.kind });
            return element("li", {}, button(helper.name, start, (text) => this.tell(text)), ` ${t(`helper_kind.${helper.kind.replace(" ", "_")}`)}`);
        });
        this.helpers.replaceChildren(...lines);
    }
}
