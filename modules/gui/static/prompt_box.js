// A prompt in use: keys that change weights and order, what is dropped on it, and the list of what it may mean.
import { Completion } from "./completion.js";
import { base64, post } from "./models.js";
import { PROMPTS } from "./prompt.js";
import { moved, rewrite, weighed } from "./prompt_text.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const options = () => window.atelierBoot.options;
const completion = new Completion();

// Before anything of Gradio's; but nothing while an input method composes: those keys are its own.
document.addEventListener("keydown", onKey, true);
document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
document.addEventListener("drop", onDrop);
// The box that was entered while this was loading.
if (document.activeElement?.matches(PROMPTS)) completion.take(document.activeElement);

function onKey(event) {
    const box = event.target;
    if (event.isComposing || event.keyCode === 229 || !box.matches?.(PROMPTS)) return;
    const change = edit(box, event);
    if (change === undefined) return;
    event.preventDefault();
    if (change) rewrite(box, change.text, change.start, change.end);
}

/** What a key makes of the text; null if nothing, undefined if the key is not ours. */
function edit(box, { key, ctrlKey, metaKey, altKey, shiftKey }) {
    const { value, selectionStart: from, selectionEnd: to } = box;
    if ((ctrlKey || metaKey) && !altKey && !shiftKey && (key === "ArrowUp" || key === "ArrowDown")) {
        return weighed(value, from, to, key === "ArrowUp", options());
    }
    if (altKey && !ctrlKey && !metaKey && !shiftKey && (key === "ArrowLeft" || key === "ArrowRight")) {
        return options().keyedit_move ? moved(value, from, to, key === "ArrowLeft" ? -1 : 1) : undefined;
    }
    return undefined;
}

/** Whether a file or a picture of a page is dragged over a prompt; plain text is dropped by the browser itself. */
const carries = ({ target, dataTransfer }) =>
    target.closest?.(PROMPTS) && [...dataTransfer.types].some((type) => type === "Files" || type === "text/uri-list");

async function onDrop(event) {
    if (!carries(event)) return;
    const box = event.target.closest(PROMPTS);
    const [file, link] = [event.dataTransfer.files[0], event.dataTransfer.getData("text/uri-list").split(/\r?\n/)[0]];
    // Only pictures of this page: others are not ours to fetch.
    const own = link && new URL(link, document.baseURI).origin === location.origin;
    if (!file && !own) return;
    event.preventDefault();
    try {
        const text = await saidBy(file ?? (await (await fetch(link)).blob()));
        if (!text) return toast(t("drop_says_nothing"), "info");
        rewrite(box, text);
        const arrow = document.getElementById(box.closest("#img2img_toprow") ? "img2img_paste" : "paste");
        if (/\bSteps: \d/.test(text) && arrow) toast(t("drop_then_arrow"), "info", 4);
    } catch (error) {
        toast(error.message, "error");
    }
}

/** The text of a text file, or what a picture says of how it was made; "" if nothing. */
async function saidBy(file) {
    if (file.type.startsWith("text/") || /\.txt$/i.test(file.name ?? "")) return (await file.text()).trim();
    return (await post("prompt/picture", { data: await base64(file) })).text;
}
