// What a job's state is called: in the line over the picture, in the window's title; and the screen that stays on.
import { clock, t } from "./texts.js";

const NAME = "Atelier";

export function describe(job) {
    if (!job || job.state === "queued") {
        if (window.atelier.engine === "starting") return t("waits_for_engine");
        return job?.position ? t("waits", { count: job.position }) : t("starts_soon");
    }
    if (job.stopping === "finish") return t("stopping_after");
    if (job.stopping) return t("stopping");
    const text = t(`phase.${job.phase}`, { step: job.step, steps: job.steps });
    return job.batches > 1 ? `${t("pass", { number: Math.min(job.batch + 1, job.batches), count: job.batches })} · ${text}` : text;
}

/** {elapsed, left} in seconds, as they are this moment; left is null while nothing can be said. */
function now(job) {
    const since = (performance.now() - job.heard) / 1000;
    const left = job.eta === null || job.eta === undefined ? null : Math.max(0, job.eta - since);
    return { elapsed: (job.elapsed ?? 0) + since, left };
}

export function times(job) {
    if (!job || job.state !== "running") return "";
    const { elapsed, left } = now(job);
    const end = left === null ? null : new Date(Date.now() + left * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const parts = [`${Math.round(job.fraction * 100)} %`, clock(elapsed)];
    if (left !== null) parts.push(t("left", { time: clock(left) }));
    // Nobody looks at the clock for less than a minute.
    if (left > 60) parts.push(t("ready_at", { time: end }));
    return parts.join(" · ");
}

/** The window's title. `busy`: a job runs or waits. */
export function title(job, busy) {
    if (!busy || !window.atelierBoot.options.show_progress_in_title) document.title = NAME;
    else if (job?.state !== "running") document.title = `[…] ${NAME}`;
    else {
        const { elapsed, left } = now(job);
        document.title = `[${Math.round(job.fraction * 100)}% ${clock(elapsed)}${left === null ? "" : ` ETA: ${clock(left)}`}] ${NAME}`;
    }
}

let lock = null;

/** Keeps the screen on while a job runs; browsers offer it on https and on this machine only. */
export async function stayAwake(on) {
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
