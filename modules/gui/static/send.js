// Below a gallery: the chosen picture is saved, or goes to another place.
import { openMode } from "./img2img.js";
import * as results from "./results.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";
import { canvasValue } from "./upload.js";

/** Where pictures come from that are in no gallery of a tab: name -> the address of the one that is meant. */
export const sources = { pnginfo: () => document.querySelector("#pnginfo_image img")?.src };

export const handlers = {
    sendPicture,
    sentText: (tab, _, ...values) => [results.infotextOfSelected(tab), ...values],
    chosenAnd: (tab, _, ...values) => [JSON.stringify(results.chosen(tab)), ...values],
    chosenPicture: (tab) => JSON.stringify(results.chosen(tab)),
    tellSaved: (sentence) => void (sentence && toast(sentence, "info")),
    tellNotes: (lines) => void (lines && lines.split("\n").forEach((line) => tell(line, "warning", 12))),
};

/** The value with the chosen picture of `tab` for the canvas of `target`, Extras or a mode of img2img, which opens. */
async function sendPicture(tab, target, before) {
    const url = sources[tab]?.() ?? results.addressOfSelected(tab);
    if (!url) {
        toast(t("no_picture_to_send"), "info");
        // What follows the picture must not happen without it.
        throw Object.assign(new Error(t("no_picture_to_send")), { told: true });
    }
    const value = await canvasValue(url);
    document.getElementById(target === "extras" ? "tab_extras-button" : "tab_img2img-button")?.click();
    if (target !== "extras") openMode(target);
    return value ?? before;
}
