// The Queue tab: what runs and waits, to be moved, paused and cancelled; what has finished, however much it is.
import { listen } from "./events.js";
import { Finished } from "./queue_finished.js";
import { row } from "./queue_row.js";
import { sheet } from "./sheets.js";
import { sign } from "./signs.js";
import { address, clock, element, t } from "./texts.js";
import { toast } from "./toast.js";
import { told } from "./told.js";

// Many jobs may be queued at once: the list is asked for once for all of them.
const GATHER = 150;
let page = null;

export async function openQueue() {
    const root = document.getElementById("queue");
    if (!root) return;
    if (page?.root === root) return page.refresh();
    await sheet("queue.css");
    page = new Queue(root);
    await page.refresh();
}

/** What a route of the queue answers. Throws with the sentence of the answer. */
async function ask(path, body) {
    const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(address(`internal/queue${path}`), options);
    const found = await answer.json().catch(() => null);
    if (answer.ok) return found;
    throw new Error(found?.detail ? (await told(found.detail)).text : t("event_failed", { status: answer.status }));
}

class Queue {
    constructor(root) {
        this.root = root;
        this.rows = new Map();
        this.summary = element("p", { className: "queue-summary", role: "status" });
        this.pause = element("button", { type: "button", className: "queue-pause" });
        this.pause.onclick = () => this.act(`/${this.paused ? "resume" : "pause"}`);
        this.clear = element("button", { type: "button", className: "queue-clear" }, sign("bin"), t("queue_clear"));
        this.clear.onclick = () => confirm(t("queue_clear_sure")) && this.act("/clear");
        this.list = element("ol", { className: "queue-list", id: "queue_active" });
        this.empty = element("p", { className: "queue-empty" }, t("queue_empty"));
        this.finished = new Finished(ask, (name, job) => this.does(name, job));
        root.replaceChildren(
            element("header", { className: "queue-head" }, this.summary, this.pause),
            this.list,
            this.empty,
            element("header", { className: "queue-head" }, element("h2", {}, t("queue_finished")), this.clear),
            this.finished.box,
        );
        this.list.addEventListener("dragover", (event) => this.over(event));
        this.list.addEventListener("drop", (event) => event.preventDefault());
        listen("queue", () => this.later());
        listen("job", (job) => this.progress(job));
    }

    /** Asks for everything anew, unless nobody looks: then when the tab is opened again. */
    later() {
        this.timer ??= setTimeout(() => {
            this.timer = null;
            if (this.root.offsetParent && !this.dragged) this.refresh();
        }, GATHER);
    }

    async refresh() {
        const state = await ask("").catch((error) => void toast(error.message, "error", 5));
        if (!state) return;
        this.paused = state.paused;
        const running = state.jobs.filter((job) => job.state === "running").length;
        const waiting = state.jobs.length - running;
        const parts = [t("queue_counts", { running, waiting })];
        if (state.eta) parts.push(t("queue_eta", { time: clock(state.eta) }));
        if (state.paused) parts.push(t("queue_paused"));
        this.summary.textContent = parts.join(" · ");
        this.pause.replaceChildren(sign(state.paused ? "play" : "pause"), t(state.paused ? "queue_resume" : "queue_pause"));
        this.empty.hidden = state.jobs.length > 0;
        this.clear.disabled = !state.finished;
        this.draw(state.jobs);
        await this.finished.refresh(state.finished);
    }

    draw(jobs) {
        const before = this.rows;
        this.rows = new Map();
        const firstWaiting = jobs.findIndex((job) => job.state === "queued");
        jobs.forEach((job, place) => {
            const old = before.get(job.id);
            const made = old && old.job.state === job.state ? old : row(job, (name) => this.does(name, made.job));
            made.update(job, { first: place === firstWaiting, last: place === jobs.length - 1 });
            made.box.draggable = job.state === "queued";
            made.box.ondragstart = (event) => {
                this.dragged = made;
                event.dataTransfer.effectAllowed = "move";
                made.box.classList.add("dragged");
            };
            made.box.ondragend = () => this.drop();
            this.rows.set(job.id, made);
        });
        const kept = document.activeElement;
        this.list.replaceChildren(...[...this.rows.values()].map((one) => one.box));
        // A row that moved keeps the focus of the button that moved it.
        if (this.list.contains(kept)) kept.focus();
    }

    over(event) {
        if (!this.dragged) return;
        event.preventDefault();
        const target = event.target.closest?.(".queue-row");
        if (!target || target === this.dragged.box || !target.draggable) return;
        const box = target.getBoundingClientRect();
        target[event.clientY < box.top + box.height / 2 ? "before" : "after"](this.dragged.box);
    }

    async drop() {
        const { box, job } = this.dragged;
        this.dragged = null;
        box.classList.remove("dragged");
        await this.act(`/${job.id}/move`, { before: box.nextElementSibling?.dataset.id ?? null });
    }

    /** What the buttons of a row do. */
    async does(name, job) {
        const ids = [...this.rows.keys()];
        const place = ids.indexOf(job.id);
        if (name === "up") await this.act(`/${job.id}/move`, { before: ids[place - 1] });
        else if (name === "down") await this.act(`/${job.id}/move`, { before: ids[place + 2] ?? null });
        else if (name === "top") await this.act(`/${job.id}/move`, { before: ids.find((id) => this.rows.get(id).job.state === "queued") });
        else if (name === "remove") await this.act("/clear", { ids: [job.id] });
        else if (name === "form") duplicate(job);
        else if (name === "show") await this.show(job);
        else await this.act(`/${job.id}/${name}`);
    }

    async act(path, body = {}) {
        try {
            await ask(path, body);
        } catch (error) {
            toast(error.message, "error", 8);
        }
        await this.refresh();
    }

    async show(job) {
        const { images } = await ask(`/${job.id}`);
        const { openViewer } = await import("./viewer.js");
        openViewer(
            images.map((image, index) => ({ ...image, drawn: { job: job.id, number: index }, url: address(`internal/queue/${job.id}/pictures/${index}`).href, small: address(`internal/queue/${job.id}/thumbnails/${index}`).href })),
            0,
        );
    }

    progress(job) {
        this.rows.get(job.id)?.progress(job);
    }
}

let wanted = "";

/** The id that the hidden button of a form asks for. */
export const duplicatedJob = () => wanted;

function duplicate(job) {
    wanted = job.id;
    document.getElementById(`tab_${job.kind}-button`)?.click();
    document.getElementById(`${job.kind}_duplicate`)?.click();
    toast(t("queue_in_form"), "info", 3);
}
