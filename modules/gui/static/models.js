// The Models tab: a file says what it is and goes where it belongs. Of a dropped file only the beginning is sent at
// first; all of it follows when the person wants it kept.
import { Downloads } from "./downloads.js";
import { address, element, t } from "./texts.js";
import { told } from "./told.js";

// Enough for the headers of nearly all files; longer ones are asked for once their length is known.
const BEGINNING = 4 << 20;
const LONGEST_HEADER = 100 << 20;
const PIECE = 8 << 20;

let page = null;

export function openModels() {
    const root = document.getElementById("models");
    if (!root || page?.root === root) return page?.downloads.follow();
    page = { root, downloads: new Downloads(), inspector: new Inspector() };
    root.replaceChildren(page.inspector.box, page.downloads.box);
    return page.downloads.follow();
}

/** Begins a download and shows it; what goes wrong stands above the list. */
export async function fetchFile(link, kind) {
    try {
        await page.downloads.start({ link, kind });
    } catch (error) {
        page.downloads.tell(error.message);
    }
}

/** What a route of ours answers to a POST. Throws with the sentence of the answer. */
export async function post(path, body = {}) {
    const answer = await fetch(address(`internal/${path}`), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
    });
    const found = await answer.json().catch(() => null);
    if (answer.ok) return found;
    const sentence = found?.errors || found?.detail;
    throw new Error(typeof sentence === "string" && sentence ? (await told(sentence)).text : `${answer.status}`);
}

/** A button that is not pressed twice while it works; what goes wrong is handed to `tell`. */
export function button(text, work, tell, properties = {}) {
    const made = element("button", { type: "button", ...properties }, text);
    made.onclick = async () => {
        made.disabled = true;
        try {
            await work(made);
        } catch (error) {
            tell(error.message);
        } finally {
            made.disabled = false;
        }
    };
    return made;
}

/** The bytes of `blob` as JSON can carry them. */
export async function base64(blob) {
    const url = await new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(blob);
    });
    return url.slice(url.indexOf(",") + 1);
}

/** The part of a file that holds its header. */
async function beginningOf(file) {
    const start = new DataView(await file.slice(0, 8).arrayBuffer());
    const length = start.byteLength === 8 ? Number(start.getBigUint64(0, true)) + 8 : 0;
    return file.slice(0, length <= LONGEST_HEADER ? Math.max(BEGINNING, length) : BEGINNING);
}

class Inspector {
    constructor() {
        this.file = null;
        this.input = element("input", { type: "file", hidden: true, id: "models_file" });
        this.input.onchange = () => this.input.files[0] && this.drop(this.input.files[0]);
        this.zone = element("button", { type: "button", className: "models-drop", id: "models_drop" }, t("models_drop"));
        this.zone.onclick = () => this.input.click();
        this.zone.ondragover = (event) => (event.preventDefault(), this.zone.classList.add("over"));
        this.zone.ondragleave = () => this.zone.classList.remove("over");
        this.zone.ondrop = (event) => {
            event.preventDefault();
            this.zone.classList.remove("over");
            if (event.dataTransfer.files[0]) this.drop(event.dataTransfer.files[0]);
        };
        this.path = element("input", { type: "text", placeholder: t("models_path"), ariaLabel: t("models_path"), id: "models_path" });
        const look = button(t("models_look"), () => this.look(), (text) => this.tell(text));
        this.path.onkeydown = (event) => event.key === "Enter" && look.click();
        this.answer = element("div", { className: "models-answer", id: "models_answer", role: "status" });
        this.box = element(
            "section",
            {},
            element("h2", {}, t("models_what")),
            this.zone,
            this.input,
            element("div", { className: "models-line" }, this.path, look),
            this.answer,
        );
    }

    tell(text) {
        this.answer.replaceChildren(element("p", { className: "models-sentence" }, text));
    }

    async drop(file) {
        this.file = file;
        this.input.value = "";
        this.tell(t("models_looking"));
        try {
            const beginning = await base64(await beginningOf(file));
            this.show(await post("models/inspect-beginning", { name: file.name, size: file.size, beginning }));
        } catch (error) {
            this.tell(error.message);
        }
    }

    async look() {
        this.file = null;
        this.show(await post("models/inspect", { path: this.path.value.trim() }));
    }

    show(report) {
        const facts = [
            [t("models_file"), report.path ?? report.name],
            [t("models_base"), report.base],
            [t("models_algorithms"), report.algorithms.join(", ")],
            [t("models_trigger"), report.trigger_words.join(", ")],
            [t("models_folder"), report.folder],
            [t("models_numbers"), report.tensors ? this.numbers(report) : ""],
            ...Object.entries(report.training),
            [t("models_tags"), Object.keys(report.tags).join(", ")],
        ].filter(([, value]) => value);
        const table = element(
            "dl",
            {},
            ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]),
        );
        this.answer.replaceChildren(
            element("p", { className: "models-sentence" }, report.sentence),
            ...report.notes.map((note) => element("p", {}, note)),
            table,
            this.actions(report, table),
        );
    }

    numbers(report) {
        const values = { tensors: report.tensors, dtypes: report.dtypes.join(", ") };
        return t("models_parameters", { count: (report.parameters / 1e6).toFixed(1), ...values });
    }

    actions(report, table) {
        const line = element("div", { className: "models-line" });
        const said = element("span", { className: "models-said" });
        const tell = (text) => (said.textContent = text);
        if (report.path) {
            line.append(button(t("models_hashes"), async (made) => {
                tell(t("models_hashing"));
                const hashes = await post("models/hashes", { path: report.path });
                for (const [name, value] of Object.entries(hashes)) table.append(element("dt", {}, name), element("dd", {}, value));
                tell("");
                made.hidden = true;
            }, tell));
        }
        if (report.in_place) tell(t("models_in_place"));
        else if (report.folder || report.kind === "pickle") {
            const work = async (made) => {
                const placed = this.file ? await this.upload(this.file, tell) : await post("models/place", { path: report.path });
                tell(t("models_placed", { path: placed.path }));
                made.hidden = true;
            };
            line.append(button(this.file ? t("models_upload") : t("models_move"), work, tell, { className: "primary" }));
        }
        line.append(said);
        return line;
    }

    upload(file, tell) {
        return uploadModel(file, tell);
    }
}

/** Sends a model file in pieces; the server puts it where it belongs. `tell` hears how far it is. */
export async function uploadModel(file, tell) {
    const { id } = await post("models/uploads", { name: file.name, size: file.size });
    try {
        for (let offset = 0; offset < file.size; offset += PIECE) {
            tell(t("models_uploading", { percent: Math.floor((100 * offset) / file.size) }));
            await post(`models/uploads/${id}`, { offset, data: await base64(file.slice(offset, offset + PIECE)) });
        }
        return await post(`models/uploads/${id}/finish`);
    } catch (error) {
        await post(`models/uploads/${id}/drop`).catch(() => null);
        throw error;
    }
}
