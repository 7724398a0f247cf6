// What the core says, which speaks English, in the page's language; and the next step, where something is missing.
import { onTab } from "./tabs.js";
import { address, element, t } from "./texts.js";
import { toast } from "./toast.js";

const LONGEST = 4000;
const known = new Map();

/** {text, files, models}: `sentence` in the page's language; well-known `files` that it misses; whether the Models tab
 *  is the place to get what it misses. */
export function told(sentence) {
    if (!known.has(sentence)) known.set(sentence, ask(sentence));
    return known.get(sentence);
}

async function ask(sentence) {
    const as_is = { text: sentence, files: [], models: false };
    if (!sentence || sentence.length > LONGEST) return as_is;
    const query = new URLSearchParams({ sentence });
    const answer = await fetch(address(`internal/gui/told?${query}`)).catch(() => null);
    if (answer?.ok) return answer.json();
    known.delete(sentence);
    return as_is;
}

/** Shows a sentence of the core as a message, with buttons for what can be done about it. */
export async function tell(sentence, kind = "error", seconds = undefined, title = "") {
    const { text, files, models } = await told(sentence);
    const box = toast(text, kind, seconds, title);
    const ways = files.map((file) => way(t("get_file", { name: file.name }), () => download(file)));
    if (models && !files.length) ways.push(way(t("get_models"), () => onTab("models", "#download_link", (field) => field.focus())));
    if (ways.length) box.querySelector("p").append(element("span", { className: "toast-ways" }, ...ways));
    return box;
}

function way(text, go) {
    const made = element("button", { type: "button", className: "link" }, text);
    made.onclick = () => {
        made.closest(".toast").remove();
        go();
    };
    return made;
}

/** Begins the download of a well-known file, in the Models tab, where it can be followed. */
function download({ link, kind }) {
    onTab("models", "#download_link", async () => {
        const { fetchFile } = await import("./models.js");
        await fetchFile(link, kind);
    });
}
