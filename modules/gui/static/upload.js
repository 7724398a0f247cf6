// Pictures on their way to the server: as the files they are, never drawn anew.
import { address, t } from "./texts.js";

/** The value that a component holds for a file: uploads `blob` under `name`. Raises: Error with a sentence. */
export async function upload(blob, name) {
    const form = new FormData();
    form.append("files", blob, name);
    const answer = await fetch(address("gradio_api/upload"), { method: "POST", body: form });
    if (!answer.ok) throw new Error(t("upload_failed", { status: answer.status }));
    const [path] = await answer.json();
    return { path, orig_name: name, meta: { _type: "gradio.FileData" } };
}

/** The file that a value names, as a blob. Raises: Error if it is gone. */
export async function download(file) {
    return fetched(address(`gradio_api/file=${file.path}`));
}

/** What lies at `url`. Raises: Error if it is gone. */
export async function fetched(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(t("picture_gone"));
    return answer.blob();
}

/** The value of a canvas that holds the picture at `url`, with nothing painted. */
export async function canvasValue(url) {
    const blob = await fetched(url);
    return { image: await upload(blob, nameOf(url, blob)), paint: null };
}

function nameOf(url, blob) {
    const last = decodeURIComponent(new URL(url, document.baseURI).pathname).split("/").pop();
    return /\.\w{2,5}$/.test(last) ? last : `picture.${blob.type.split("/")[1]?.replace("jpeg", "jpg") || "png"}`;
}
