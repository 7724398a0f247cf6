// Everything the page does in the browser starts here. Gradio's events call `atelier.handle(name, values)`;
// what a handler throws is shown as a message (Gradio itself swallows it without a trace).
import { nameUploads, watchStopping } from "./access.js";
import { openCanvas, watchPaste } from "./canvas.js";
import * as drafts from "./drafts.js";
import { watchElsewhere } from "./elsewhere.js";
import { tellErrors } from "./errors.js";
import { watchColumns } from "./columns.js";
import { handlers as familyHandlers } from "./family.js";
import { watchFooter } from "./footer.js";
import { watchForever } from "./forever.js";
import * as fields from "./fields.js";
import * as img2img from "./img2img.js";
import { follower, stopping } from "./jobs.js";
import { watchHints } from "./hints.js";
import { watchKeys } from "./keys.js";
import { watchNotices } from "./notices.js";
import { handlers as panelHandlers, openPanel } from "./panels.js";
import { handlers as presetHandlers } from "./presets.js";
import * as prompt from "./prompt.js";
import { handlers as cardHandlers } from "./cards_tabs.js";
import { watchFinished } from "./notify.js";
import { watchOptions } from "./options.js";
import * as results from "./results.js";
import { watchLightbox } from "./lightbox.js";
import * as send from "./send.js";
import { openModels } from "./models.js";
import { watchTabStrips } from "./tab_strip.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const TABS = ["txt2img", "img2img", "extras"];

const handlers = {
    ...panelHandlers,
    ...fields.handlers,
    ...prompt.handlers,
    ...cardHandlers,
    ...drafts.handlers,
    ...familyHandlers,
    ...presetHandlers,
    ...img2img.handlers,
    ...send.handlers,
    openModels,
    openExtensions: async () => (await import("./extensions.js")).openExtensions(),
    openLibrary: async () => (await import("./library.js")).openLibrary(),
    libraryText: async (...values) => (await import("./library.js")).libraryText(...values),
    openSettings: async () => (await import("./settings.js")).openSettings(),
    deleteChosen: async (tab) => (await import("./discard.js")).discardChosen(tab),
    openQueue: async () => (await import("./queue.js")).openQueue(),
    duplicatedJob: async () => (await import("./queue.js")).duplicatedJob(),
    openMode: (mode) => void img2img.openMode(mode),
    openTxt2img: () => document.getElementById("tab_txt2img-button")?.click(),
    submitted: (tab, id) => follower(tab).add(id),
    currentJob: (tab) => stopping(tab),
    waitingJobs: (tab) => follower(tab).dropWaiting(),
    fetchedJob: (tab) => results.wanted(tab),
    showResult: results.show,
    showMerged: (tab, outcome) => {
        results.show(tab, outcome);
        // The new file is offered everywhere at once.
        document.getElementById("refresh_choices")?.click();
    },
    reuseSeed: (tab, seed) => results.seedOfSelected(tab, "seed") ?? seed,
    reuseSubseed: (tab, seed) => results.seedOfSelected(tab, "subseed") ?? seed,
};

function handle(name, values) {
    try {
        const result = handlers[name](...values);
        return result instanceof Promise ? result.catch((error) => failed(name, error)) : result;
    } catch (error) {
        return failed(name, error);
    }
}

/** Says what went wrong, and stops the event by throwing again. */
function failed(name, error) {
    if (!error.told) {
        console.error(name, error);
        toast(t("script_failed", { name, message: error.message }), "error");
    }
    throw error;
}

window.atelier = { ...window.atelier, handle, draft: drafts.valuesOf, openCanvas, openPanel, boot: window.atelierBoot };

tellErrors();
watchElsewhere();

// Gradio builds the page after this script ran, and a tab's inside when it is first opened.
const whenBuilt = (tab, start, names = ["generate", "gallery", "live", "fetch"]) =>
    whenThere(names.map((name) => `${tab}_${name}`), start);

function whenThere(ids, start) {
    const built = () => ids.every((id) => document.getElementById(id));
    if (built()) return start();
    const observer = new MutationObserver(() => {
        if (!built()) return;
        observer.disconnect();
        start();
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
}

// At once: what comes in later above the tabs moves them away from the pointer that presses one.
whenThere(["notices"], watchNotices);
for (const tab of TABS) {
    whenBuilt(tab, () => {
        watchKeys(tab);
        results.watchGallery(tab);
        watchLightbox(tab);
        watchColumns(tab);
        if (tab !== "extras") watchForever(tab);
        watchStopping(tab);
        follower(tab).attach();
    });
}
whenBuilt(
    "modelmerger",
    () => {
        watchStopping("modelmerger");
        follower("modelmerger").attach();
    },
    ["merge", "live", "fetch"],
);
whenBuilt("pnginfo", () => nameUploads("pnginfo_image"), ["image"]);
whenBuilt("txt2img", () => {
    document.body.dataset.ready = "yes";
    watchTabStrips();
    watchOptions();
    watchFooter();
    watchHints();
    watchFinished();
    watchPaste();
    fields.watchFields();
    if (window.atelierBoot.localized) import("./localize.js").then(({ localize }) => localize());
    if (window.atelierBoot.language !== "en") import("./localize.js").then(({ localizeOthers }) => localizeOthers());
    prompt.watchPrompts();
});
whenBuilt("img2img", img2img.restoreTabs);
