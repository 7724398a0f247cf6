// Finished jobs: thousands of rows of which only those in sight exist; pages of them are fetched as they come into sight.
import { facts, FORMS } from "./queue_row.js";
import { sign, signButton } from "./signs.js";
import { address, clock, element, t } from "./texts.js";
import { told } from "./told.js";

// With the space below; queue.css has the heights.
const ROW = { wide: 84, narrow: 100 };
const PAGE = 50;
const BEYOND = 6;

export class Finished {
    constructor(ask, does) {
        this.ask = ask;
        this.does = does;
        this.count = 0;
        this.pages = new Map();
        this.rows = new Map();
        this.box = element("ol", { className: "queue-list finished", id: "queue_finished" });
        addEventListener("scroll", () => this.soon(), { passive: true });
        const narrow = matchMedia("(max-width: 700px)");
        const measure = () => (this.step = narrow.matches ? ROW.narrow : ROW.wide);
        measure();
        narrow.addEventListener("change", () => (measure(), this.refresh(this.count)));
        addEventListener("resize", () => this.soon());
    }

    async refresh(count) {
        this.count = count;
        this.pages.clear();
        for (const { box } of this.rows.values()) box.remove();
        this.rows.clear();
        this.box.style.height = `${count * this.step}px`;
        this.box.dataset.count = count;
        await this.draw();
    }

    soon() {
        if (!this.box.offsetParent) return;
        this.frame ??= requestAnimationFrame(() => ((this.frame = null), this.draw()));
    }

    async draw() {
        const top = this.box.getBoundingClientRect().top;
        const first = Math.max(0, Math.floor(-top / this.step) - BEYOND);
        const last = Math.min(this.count - 1, Math.ceil((innerHeight - top) / this.step) + BEYOND);
        for (const [place, { box }] of this.rows) {
            if (place >= first && place <= last) continue;
            box.remove();
            this.rows.delete(place);
        }
        for (let page = Math.floor(first / PAGE); page * PAGE <= last; page++) {
            if (!this.pages.has(page)) this.pages.set(page, this.ask(`/finished?offset=${page * PAGE}&limit=${PAGE}`));
            const { jobs } = await this.pages.get(page);
            jobs.forEach((job, index) => this.place(page * PAGE + index, job, first, last));
        }
    }

    place(place, job, first, last) {
        if (place < first || place > last || this.rows.has(place)) return;
        const box = this.row(job);
        box.style.top = `${place * this.step}px`;
        this.rows.set(place, { box });
        this.box.append(box);
    }

    row(job) {
        const thumb = element("button", { type: "button", className: "queue-thumb", disabled: !job.pictures, ariaLabel: t("queue_show") });
        if (job.pictures) thumb.append(element("img", { loading: "lazy", alt: "", src: address(`internal/queue/${job.id}/thumbnails/0`) }));
        else thumb.append(sign(job.state === "done" ? "form" : "close"));
        thumb.onclick = () => this.does("show", job);
        const said = element("p", { className: "queue-prompt", title: job.brief.prompt ?? "" }, job.brief.prompt || t("queue_no_prompt"));
        const about = element("p", { className: "queue-facts" }, facts(job));
        const state = element("span", { className: "queue-state" }, words(job));
        const buttons = element("div", { className: "queue-buttons" }, signButton("retry", t("queue_retry"), () => this.does("retry", job)));
        if (FORMS.includes(job.kind)) buttons.append(signButton("form", t("queue_form"), () => this.does("form", job)));
        buttons.append(signButton("bin", t("queue_remove"), () => this.does("remove", job)));
        const box = element("li", { className: `queue-row ${job.state}` }, thumb, element("div", { className: "queue-said" }, said, about), state, buttons);
        if (job.state === "failed") said.after(trouble(job.error ?? ""));
        box.dataset.id = job.id;
        return box;
    }
}

function trouble(sentence) {
    const line = element("p", { className: "queue-error" });
    told(sentence).then(({ text }) => (line.title = line.textContent = text));
    return line;
}

function words(job) {
    const when = new Date(job.finished * 1000);
    const today = when.toDateString() === new Date().toDateString();
    const time = today ? when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : when.toLocaleDateString();
    const state = t(`queue_state.${job.interrupted ? "interrupted" : job.state}`);
    return [state, job.state === "done" && job.elapsed ? clock(job.elapsed) : "", time].filter(Boolean).join(" · ");
}
