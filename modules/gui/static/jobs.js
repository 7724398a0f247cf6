// Follows the jobs that this page should show: its own in the order of pressing Generate, and whatever already ran
// when the page was opened. The server keeps the jobs; the browser only remembers their ids.
import { address, clock, element, t } from "./texts.js";
import { toast } from "./toast.js";
import * as results from "./results.js";

const FINAL = ["done", "failed", "cancelled"];
// Phases that know how far they are.
const STEPPING = ["sampling", "upscaling", "faces", "merging"];
const FIRST_RETRY = 500;
const LAST_RETRY = 5000;
const followers = {};

export const follower = (tab) => (followers[tab] ??= new Follower(tab));

/** The id that Interrupt and Skip in `tab` are about: its own job, else the one that another tab started; "" if none. */
export const stopping = (tab) =>
    [follower(tab), ...Object.values(followers)].find((one) => one.ids.length)?.stopping() ?? "";

class Follower {
    constructor(tab) {
        this.tab = tab;
        this.ids = [];
        this.job = null;
        this.socket = null;
        this.retry = FIRST_RETRY;
        this.stop = false;
        this.picture = null;
    }

    /** Takes up what was going on before a reload or on another device; if nothing was, shows the last result again. */
    async attach() {
        this.ids = remembered(this.tab, "jobs", []);
        const active = await this.active();
        for (const job of active) if (!this.ids.includes(job.id)) this.ids.push(job.id);
        const last = remembered(this.tab, "last", null);
        if (last && !this.ids.length) results.fetchResult(this.tab, last, true);
        this.remember();
        this.next();
    }

    async active() {
        try {
            const answer = await fetch(address("internal/jobs"));
            return answer.ok ? (await answer.json()).jobs.filter((job) => job.kind === this.tab) : [];
        } catch {
            return [];
        }
    }

    /** A job of this page's own: `id` is shown when those before it are through. */
    add(id) {
        if (id && !this.ids.includes(id)) this.ids.push(id);
        this.remember();
        if (this.job === null && this.socket === null) this.next();
        else this.draw();
        if (matchMedia("(max-width: 700px)").matches)
            document.getElementById(`${this.tab}_gallery_container`)?.scrollIntoView({ behavior: "smooth", block: "center" });
    }

    /** The id of the job that shall stop. */
    stopping() {
        this.stop = true;
        this.draw();
        return this.ids[0] ?? "";
    }

    /** The jobs behind the current one, as JSON, no longer followed. */
    dropWaiting() {
        const dropped = this.ids.splice(1);
        this.remember();
        this.draw();
        return JSON.stringify(dropped);
    }

    next() {
        this.job = null;
        this.stop = false;
        if (this.ids.length) this.connect(this.ids[0]);
        this.draw();
    }

    connect(id) {
        const url = address(`internal/jobs/${encodeURIComponent(id)}`);
        url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
        const socket = new WebSocket(url);
        socket.binaryType = "blob";
        this.socket = socket;
        socket.onmessage = ({ data }) => {
            if (this.socket !== socket) return;
            this.retry = FIRST_RETRY;
            if (typeof data === "string") this.update(JSON.parse(data));
            else this.preview(data);
        };
        socket.onclose = () => this.socket === socket && this.lost(id);
    }

    update(job) {
        this.job = job;
        if (FINAL.includes(job.state)) this.finish(job);
        else this.draw();
    }

    /** The socket closed before a final state came: ask once, then follow again. */
    async lost(id) {
        this.socket = null;
        try {
            const answer = await fetch(address(`internal/jobs/${encodeURIComponent(id)}`));
            if (answer.status === 404) return this.finish({ id, state: "cancelled" });
            if (answer.ok) {
                const job = await answer.json();
                if (FINAL.includes(job.state)) return this.finish(job);
            }
        } catch {
            this.draw(t("reconnecting"));
        }
        setTimeout(() => this.ids[0] === id && !this.socket && this.connect(id), this.retry);
        this.retry = Math.min(this.retry * 2, LAST_RETRY);
    }

    finish(job) {
        const socket = this.socket;
        this.socket = null;
        socket?.close();
        this.ids = this.ids.filter((id) => id !== job.id);
        this.preview(null);
        this.remember();
        if (job.state === "done") {
            remember(this.tab, "last", job.id);
            results.fetchResult(this.tab, job.id);
        } else if (job.state === "failed") {
            toast(job.error || t("failed"), "error");
        }
        this.next();
    }

    preview(blob) {
        if (this.picture) URL.revokeObjectURL(this.picture);
        this.picture = blob && URL.createObjectURL(blob);
        const image = this.panel()?.querySelector("img");
        if (!image) return;
        image.hidden = !this.picture;
        if (this.picture) image.src = this.picture;
        else image.removeAttribute("src");
    }

    panel() {
        const panel = document.getElementById(`${this.tab}_live`);
        if (panel && !panel.firstChild) {
            panel.append(
                element("div", { className: "live-line" }, element("span", { className: "live-text" }), element("span", { className: "live-time" })),
                element("div", { className: "live-bar" }, element("div", { className: "live-done" })),
                element("img", { className: "live-picture", alt: t("live_preview"), hidden: true }),
            );
        }
        return panel;
    }

    /** Shows where things stand; `instead` replaces the line that says so. */
    draw(instead = "") {
        const panel = this.panel();
        const on = this.ids.length > 0;
        const busy = on ? this : Object.values(followers).find((one) => one.ids.length);
        document.body.dataset.job = busy ? busy.job?.state ?? "queued" : "";
        this.drawQueue();
        stayAwake(Boolean(busy));
        title(busy ? busy.job : null);
        if (!panel) return;
        panel.hidden = !on;
        if (!on) return;
        const fraction = this.job?.fraction ?? 0;
        panel.querySelector(".live-text").textContent = instead || (this.stop ? t("stopping") : describe(this.job));
        panel.querySelector(".live-time").textContent = times(this.job);
        panel.querySelector(".live-bar").hidden = !window.atelierBoot.options.show_progressbar;
        panel.querySelector(".live-done").style.transform = `scaleX(${fraction})`;
        panel.querySelector(".live-bar").classList.toggle("unknown", this.job?.state !== "running" || !STEPPING.includes(this.job.phase));
    }

    drawQueue() {
        const line = document.getElementById(`${this.tab}_queue`);
        if (!line) return;
        line.replaceChildren();
        if (this.ids.length < 2) return;
        const cancel = element("button", { type: "button", className: "link" }, t("cancel_waiting"));
        cancel.onclick = () => document.getElementById(`${this.tab}_cancel_waiting`).click();
        line.append(element("span", {}, t("queued", { count: this.ids.length - 1 })), cancel);
    }

    remember() {
        remember(this.tab, "jobs", this.ids);
    }
}

function describe(job) {
    if (!job || job.state === "queued") {
        if (window.atelier.engine === "starting") return t("waits_for_engine");
        return job?.position ? t("waits", { count: job.position }) : t("starts_soon");
    }
    const text = t(`phase.${job.phase}`, { step: job.step, steps: job.steps });
    return job.batches > 1 ? `${t("pass", { number: Math.min(job.batch + 1, job.batches), count: job.batches })} · ${text}` : text;
}

function times(job) {
    if (!job || job.state !== "running") return "";
    const percent = `${Math.round(job.fraction * 100)} %`;
    return job.eta === null || job.eta === undefined ? percent : `${percent} · ${t("left", { time: clock(job.eta) })}`;
}

let lock = null;

/** Keeps the screen on while a job runs; browsers offer it on https and on this machine only. */
async function stayAwake(on) {
    if (!window.atelierBoot.options.prevent_screen_sleep_during_generation || !navigator.wakeLock) return;
    if (!on) {
        lock?.release();
        lock = null;
    } else if (!lock && document.visibilityState === "visible") {
        lock = await navigator.wakeLock.request("screen").catch(() => null);
        // The browser takes it back when the page is hidden.
        lock?.addEventListener("release", () => (lock = null));
    }
}

function title(job) {
    const name = "Atelier";
    if (!job || !window.atelierBoot.options.show_progress_in_title) document.title = name;
    else if (job.state !== "running") document.title = `[…] ${name}`;
    else document.title = `[${Math.round(job.fraction * 100)}%${job.eta === null ? "" : ` ETA: ${clock(job.eta)}`}] ${name}`;
}

function remembered(tab, what, otherwise) {
    try {
        return JSON.parse(localStorage.getItem(`atelier.${tab}.${what}`)) ?? otherwise;
    } catch {
        return otherwise;
    }
}

function remember(tab, what, value) {
    try {
        localStorage.setItem(`atelier.${tab}.${what}`, JSON.stringify(value));
    } catch {
        // A browser without storage still draws; it only forgets on reload.
    }
}
