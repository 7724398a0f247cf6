// Everything the page does in the browser starts here. Gradio's events call `atelier.handle(name, values)`;
// what a handler throws is shown as a message (Gradio itself swallows it without a trace).
import * as drafts from "./drafts.js";
import { tellErrors } from "./errors.js";
import * as fields from "./fields.js";
import { follower } from "./jobs.js";
import { watchKeys } from "./keys.js";
import { watchNotices } from "./notices.js";
import * as results from "./results.js";
import { openSettings } from "./settings.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const TAB = "txt2img";

const handlers = {
    ...fields.handlers,
    ...drafts.handlers,
    openSettings,
    openTxt2img: () => document.getElementById("tab_txt2img-button")?.click(),
    submitted: (id) => follower(TAB).add(id),
    currentJob: () => follower(TAB).stopping(),
    waitingJobs: () => follower(TAB).dropWaiting(),
    fetchedJob: () => results.wanted(TAB),
    showResult: (outcome) => results.show(TAB, outcome),
    reuseSeed: (seed) => results.seedOfSelected(TAB, "seed") ?? seed,
    reuseSubseed: (seed) => results.seedOfSelected(TAB, "subseed") ?? seed,
};

function handle(name, values) {
    try {
        return handlers[name](...values);
    } catch (error) {
        console.error(name, error);
        toast(t("script_failed", { name, message: error.message }), "error");
        throw error;
    }
}

window.atelier = { ...window.atelier, handle, boot: window.atelierBoot };

tellErrors();

// Gradio builds the page after this script ran, and a tab's inside when it is first opened.
function whenBuilt(start) {
    const parts = ["generate", "gallery", "live", "fetch"].map((name) => `${TAB}_${name}`);
    const built = () => parts.every((id) => document.getElementById(id));
    if (built()) return start();
    const observer = new MutationObserver(() => {
        if (!built()) return;
        observer.disconnect();
        start();
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
}

whenBuilt(() => {
    document.body.dataset.ready = "yes";
    watchNotices();
    watchKeys(TAB);
    fields.watchFields();
    results.watchGallery(TAB);
    follower(TAB).attach();
});
