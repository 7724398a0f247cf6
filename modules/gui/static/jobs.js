// Follows the jobs that this page should show: its own in the order of pressing Generate, whatever already ran when the
// page was opened, and what others start meanwhile. The server keeps the jobs; the browser only remembers their ids.
import * as events from "./events.js";
import { describe, stayAwake, times, title } from "./job_words.js";
import * as results from "./results.js";
import { address, element, t } from "./texts.js";
import { tell, told } from "./told.js";

const FINAL = ["done", "failed", "cancelled"];
// Phases that know how far they are.
const STEPPING = ["sampling", "upscaling", "faces", "merging"];
const TICK = 1000;
const followers = {};

export const follower = (tab) => (followers[tab] ??= new Follower(tab));

/** The id that Interrupt and Skip in `tab` are about: its own job, else the one that another tab started; "" if none. */
export const stopping = (tab) => [follower(tab), ...Object.values(followers)].find((one) => one.ids.length)?.current() ?? "";

/** The follower of the job that the whole page is busy with; undefined if there is none. */
const busy = () => Object.values(followers).find((one) => one.ids.length);

class Follower {
    constructor(tab) {
        this.tab = tab;
        this.ids = [];
        this.asked = new Set(remembered(sessionStorage, tab, "asked", []));
        // What others started while this page was open: its result does not take the place of what is shown.
        this.others = new Set();
        this.views = new Map();
        this.previewed = "";
        this.loading = false;
        this.attached = false;
        this.lost = false;
    }

    /** Takes up what was going on before a reload or on another device; if nothing was, shows the last result again. */
    attach() {
        this.ids = remembered(localStorage, this.tab, "jobs", []);
        events.listen("queue", (queue) => this.order(queue));
        events.listen("job", (job) => this.ids.includes(job.id) && this.update(job));
        events.listen("lost", () => ((this.lost = true), this.draw()));
        document.addEventListener("visibilitychange", () => this.draw());
        setInterval(() => this.job()?.state === "running" && this.draw(), TICK);
    }

    /** How things stand on the server: at the beginning, after every change, and when the connection is back. */
    order(queue) {
        this.lost = false;
        const mine = queue.running.filter((job) => job.kind === this.tab);
        const waiting = queue.waiting.filter(([, kind]) => kind === this.tab).map(([id]) => id);
        for (const job of mine) this.views.set(job.id, heard(job));
        queue.waiting.forEach(([id], place) => this.ids.includes(id) && this.views.set(id, { id, state: "queued", position: place + queue.running.length }));
        const known = new Set([...mine.map((job) => job.id), ...waiting]);
        if (!this.attached) {
            this.attached = true;
            const last = remembered(localStorage, this.tab, "last", null);
            this.ids.push(...[...known].filter((id) => !this.ids.includes(id)));
            if (last && !this.ids.length) results.fetchResult(this.tab, last, true);
        }
        for (const { id } of mine) {
            if (this.ids.includes(id)) continue;
            this.others.add(id);
            this.ids.push(id);
        }
        for (const id of this.ids) if (!known.has(id)) this.look(id);
        this.remember();
        this.draw();
    }

    /** A job of this page's own: `id` is shown when those before it are through. */
    add(id) {
        if (!id) return;
        this.asked.add(id);
        this.others.delete(id);
        remember(sessionStorage, this.tab, "asked", [...this.asked].slice(-50));
        if (!this.ids.includes(id)) this.ids.push(id);
        this.remember();
        // It may have ended before its id was known here.
        if (!this.views.has(id)) this.look(id);
        this.draw();
        if (matchMedia("(max-width: 700px)").matches)
            document.getElementById(`${this.tab}_gallery_container`)?.scrollIntoView({ behavior: "smooth", block: "center" });
    }

    /** Asks the server about a job of which the queue says nothing. */
    async look(id) {
        try {
            const answer = await fetch(address(`internal/jobs/${encodeURIComponent(id)}`));
            if (answer.status === 404) this.finish({ id, state: "cancelled" });
            else if (answer.ok) this.update(await answer.json());
        } catch {
            this.lost = true;
            this.draw();
        }
    }

    /** The id of the job that is shown: the one that runs, else the next. */
    current() {
        return this.ids.find((id) => this.views.get(id)?.state === "running") ?? this.ids[0] ?? "";
    }

    job = () => this.views.get(this.current());

    /** Whether a job that this page asked for has not ended. */
    waits = () => this.ids.some((id) => !this.others.has(id));

    /** The jobs behind the current one, as JSON, no longer followed. */
    dropWaiting() {
        const shown = this.current();
        const dropped = this.ids.filter((id) => id !== shown && !this.others.has(id));
        this.ids = this.ids.filter((id) => !dropped.includes(id));
        this.remember();
        this.draw();
        return JSON.stringify(dropped);
    }

    update(job) {
        if (!this.ids.includes(job.id)) return;
        if (FINAL.includes(job.state)) return this.finish(job);
        this.views.set(job.id, heard(job));
        this.draw();
    }

    finish(job) {
        if (!this.ids.includes(job.id)) return;
        const other = this.others.delete(job.id);
        this.ids = this.ids.filter((id) => id !== job.id);
        this.views.delete(job.id);
        this.preview(null);
        this.remember();
        if (job.state === "done") {
            if (!other) remember(localStorage, this.tab, "last", job.id);
            if (other && results.filled(this.tab)) results.offer(this.tab, job.id);
            else results.fetchResult(this.tab, job.id);
        } else if (job.state === "failed" && !other) tell(job.error || t("failed"));
        document.dispatchEvent(new CustomEvent("atelier:finished", { detail: { tab: this.tab, job, own: this.asked.has(job.id) } }));
        this.draw();
    }

    /** Fetches the newest preview, one at a time, while somebody looks. */
    async preview(job) {
        const image = this.panel()?.querySelector("img");
        if (!image) return;
        if (!job?.preview) {
            this.previewed = "";
            image.hidden = true;
            image.removeAttribute("src");
            return;
        }
        const name = `${job.id}/preview?number=${job.preview}`;
        if (this.loading || this.previewed === name || document.hidden || !image.parentElement.offsetParent) return;
        this.loading = true;
        const next = new Image();
        next.src = address(`internal/jobs/${name}`);
        try {
            await next.decode();
            if (this.current() !== job.id) return;
            image.src = next.src;
            image.hidden = false;
            this.previewed = name;
            document.dispatchEvent(new CustomEvent("atelier:preview", { detail: { tab: this.tab, url: next.src } }));
        } catch {
            // The job ended meanwhile: there is no preview any more, but a picture.
        } finally {
            this.loading = false;
        }
    }

    panel() {
        const panel = document.getElementById(`${this.tab}_live`);
        if (panel && !panel.firstChild) {
            panel.append(
                element("div", { className: "live-line" }, element("span", { className: "live-text" }), element("span", { className: "live-time" })),
                element("div", { className: "live-bar" }, element("div", { className: "live-done" })),
                element("p", { className: "live-note", hidden: true }),
                element("img", { className: "live-picture livePreview", alt: t("live_preview"), hidden: true }),
            );
        }
        return panel;
    }

    /** Shows where things stand. */
    draw() {
        const panel = this.panel();
        const one = busy();
        document.body.dataset.job = one ? one.job()?.state ?? "queued" : "";
        this.drawQueue();
        stayAwake(Boolean(one));
        title(one ? one.job() : null, Boolean(one));
        if (!panel) return;
        panel.hidden = !this.ids.length;
        if (panel.hidden) return;
        const job = this.job();
        panel.querySelector(".live-text").textContent = this.lost ? t("reconnecting") : describe(job);
        panel.querySelector(".live-time").textContent = times(job);
        const bar = panel.querySelector(".live-bar");
        bar.hidden = !window.atelierBoot.options.show_progressbar;
        bar.querySelector(".live-done").style.transform = `scaleX(${job?.fraction ?? 0})`;
        bar.classList.toggle("unknown", job?.state !== "running" || !STEPPING.includes(job.phase));
        this.note(job?.note ?? "");
        if (job?.state === "running") this.preview(job);
    }

    /** What the work says of itself, under the bar; "" for nothing. */
    async note(sentence) {
        const line = this.panel().querySelector(".live-note");
        if (line.dataset.said === sentence) return;
        line.dataset.said = sentence;
        const { text } = await told(sentence);
        if (line.dataset.said !== sentence) return;
        line.textContent = text;
        line.hidden = !text;
    }

    drawQueue() {
        const line = document.getElementById(`${this.tab}_queue`);
        if (!line) return;
        line.replaceChildren();
        const count = this.ids.filter((id) => !this.others.has(id)).length - (this.others.has(this.current()) ? 0 : 1);
        if (count < 1) return;
        const cancel = element("button", { type: "button", className: "link" }, t("cancel_waiting"));
        cancel.onclick = () => document.getElementById(`${this.tab}_cancel_waiting`).click();
        line.append(element("span", {}, t("queued", { count })), cancel);
    }

    remember() {
        remember(localStorage, this.tab, "jobs", this.ids.filter((id) => !this.others.has(id)));
    }
}

/** A job with the moment at which this was known of it: clocks go on between two events. */
const heard = (job) => ({ ...job, heard: performance.now() });

function remembered(storage, tab, what, otherwise) {
    try {
        return JSON.parse(storage.getItem(`atelier.${tab}.${what}`)) ?? otherwise;
    } catch {
        return otherwise;
    }
}

function remember(storage, tab, what, value) {
    try {
        storage.setItem(`atelier.${tab}.${what}`, JSON.stringify(value));
    } catch {
        // A browser without storage still draws; it only forgets on reload.
    }
}
