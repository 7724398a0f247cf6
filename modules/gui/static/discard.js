// A picture that a job drew goes into the library's trash, and comes back if that was not meant.
import * as results from "./results.js";
import { address, element, t } from "./texts.js";
import { tell } from "./told.js";
import { toast } from "./toast.js";

const UNDO_SECONDS = 12;

/** Moves picture `number` of job `job` into the trash; `changed` is called then, and again if it is taken back.
 *  Returns whether it is gone. */
export async function discard({ job, number }, changed) {
    const found = await post(`internal/queue/${encodeURIComponent(job)}/delete`, { numbers: [number] });
    if (!found) return false;
    const box = toast(t("discarded"), "info", UNDO_SECONDS);
    const undo = element("button", { type: "button", className: "link" }, t("library_undo"));
    undo.onclick = async () => {
        box.remove();
        if (await post("internal/gallery/restore", { names: found.names })) changed();
    };
    box.querySelector("p").append(" ", undo);
    changed();
    return true;
}

async function post(path, body) {
    const answer = await fetch(address(path), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (answer?.ok) return found;
    tell(found?.errors || found?.detail || t("no_answer"));
    return null;
}

/** What the button below the gallery of `tab` does. */
export async function discardChosen(tab) {
    const [drawn, index] = [results.drawn(tab), results.selectedIndex(tab)];
    if (drawn) await discard(drawn, () => results.fetchResult(tab, drawn.job, true, index));
    else toast(t("no_picture_yet"), "info");
}
