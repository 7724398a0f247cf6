// One job as a row of the Queue tab.
import { describe } from "./job_words.js";
import { sign, signButton } from "./signs.js";
import { address, clock, element, t } from "./texts.js";

// Jobs whose settings a form can take.
export const FORMS = ["txt2img", "img2img"];

/** "512 × 512 · 20 steps · …" of a job's brief. */
export function facts({ kind, brief }) {
    const parts = [t(`queue_kind.${kind}`)];
    if (parts[0].startsWith("⟨")) parts[0] = kind;
    if (brief.width) parts.push(`${brief.width} × ${brief.height}${brief.hires ? ` → ×${brief.hires}` : ""}`);
    if (brief.steps) parts.push(t("queue_steps", { count: brief.steps }));
    if (brief.sampler) parts.push([brief.sampler, brief.scheduler === "Automatic" ? "" : brief.scheduler].filter(Boolean).join(" "));
    if (brief.cfg_scale) parts.push(`CFG ${brief.cfg_scale}`);
    const seed = brief.chosen_seed ?? brief.seed;
    if (seed !== undefined && seed !== -1) parts.push(t("queue_seed", { seed }));
    if (brief.pictures > 1) parts.push(t("queue_pictures", { count: brief.pictures }));
    const model = brief.model ?? brief.checkpoint;
    if (model) parts.push(model);
    return parts.join(" · ");
}

/** {box, job, update, progress} of a job that runs or waits. `does(name)` is what its buttons do. */
export function row(job, does) {
    const waits = job.state === "queued";
    const thumb = element("div", { className: "queue-thumb" }, sign(waits ? "grip" : "live"));
    const said = element("p", { className: "queue-prompt" });
    const about = element("p", { className: "queue-facts" });
    const state = element("span", { className: "queue-state" });
    const bar = element("div", { className: "live-bar" }, element("div", { className: "live-done" }));
    const buttons = element("div", { className: "queue-buttons" });
    const up = signButton("up", t("queue_up"), () => does("up"));
    const down = signButton("down", t("queue_down"), () => does("down"));
    if (waits) buttons.append(up, down);
    if (FORMS.includes(job.kind)) buttons.append(signButton("form", t("queue_form"), () => does("form")));
    buttons.append(signButton("close", t("queue_cancel"), () => does("cancel")));
    const box = element("li", { className: `queue-row ${job.state}` }, thumb, element("div", { className: "queue-said" }, said, about), state, buttons, waits ? null : bar);
    box.dataset.id = job.id;
    const made = { box, job, update, progress };

    function update(news, { first, last }) {
        made.job = news;
        said.textContent = news.brief.prompt || t("queue_no_prompt");
        about.textContent = facts(news);
        up.disabled = first;
        down.disabled = last;
        if (waits) state.textContent = news.wait === null ? t("queue_waits") : t("queue_in", { time: clock(news.wait) });
        else progress(news);
    }

    function progress(news) {
        if (waits || news.state !== "running") return;
        const left = news.eta === null ? "" : ` · ${t("left", { time: clock(news.eta) })}`;
        state.textContent = `${describe(news)} · ${Math.round(news.fraction * 100)} %${left}`;
        bar.firstChild.style.transform = `scaleX(${news.fraction})`;
        if (!news.preview || document.hidden || !box.offsetParent) return;
        const image = thumb.querySelector("img") ?? element("img", { alt: "" });
        image.src = address(`internal/jobs/${news.id}/preview?number=${news.preview}`);
        if (!image.parentElement) thumb.replaceChildren(image);
    }

    return made;
}
