// Submitting, and following what was submitted.
"use strict";

function randomId() {
    const letters = () => Math.random().toString(36).slice(2, 7);
    return `task(${letters()}${letters()}${letters()})`;
}

function request(url, data, handler, errorHandler) {
    fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) })
        .then((answer) => (answer.ok ? answer.json().then(handler) : errorHandler()))
        .catch(errorHandler);
}
function requestGet(url, data, handler, errorHandler) {
    fetch(`${url}?${new URLSearchParams(data)}`)
        .then((answer) => (answer.ok ? answer.json().then(handler) : errorHandler()))
        .catch(errorHandler);
}

/** Shows how far task `id_task` is until it ends, or until nothing was heard of it for `inactivityTimeout` seconds. */
function requestProgress(id_task, progressbarContainer, gallery, atEnd, onProgress, inactivityTimeout = 40) {
    const began = Date.now();
    let wasActive = false;
    const bar = Object.assign(document.createElement("div"), { className: "progressDiv" });
    const done = Object.assign(document.createElement("div"), { className: "progress" });
    bar.append(done);
    bar.style.display = window.opts.show_progressbar ? "block" : "none";
    progressbarContainer?.parentNode?.insertBefore(bar, progressbarContainer);
    let preview = null;

    function finish() {
        bar.remove();
        preview?.remove();
        atEnd?.();
    }
    function show(result) {
        const percent = (result.progress || 0) * 100;
        done.style.width = `${percent}%`;
        done.textContent = result.progress > 0.01 ? `${percent.toFixed(0)}% ${result.eta ? `ETA: ${Math.round(result.eta)}s` : ""}` : result.textinfo ?? "";
        if (result.live_preview && gallery) {
            preview ??= gallery.insertBefore(Object.assign(document.createElement("div"), { className: "livePreview" }), gallery.firstElementChild);
            preview.replaceChildren(Object.assign(new Image(), { src: result.live_preview }));
        }
    }
    function ask(id_live_preview) {
        request(
            "internal/progress",
            { id_task, id_live_preview, live_preview: Boolean(gallery) },
            (result) => {
                if (result.completed) return finish();
                wasActive ||= result.active;
                const waited = (Date.now() - began) / 1000;
                if ((wasActive && !result.active && !result.queued) || (waited > inactivityTimeout && !result.queued && !result.active)) return finish();
                show(result);
                onProgress?.(result);
                setTimeout(ask, window.opts.live_preview_refresh_period || 500, result.id_live_preview);
            },
            finish,
        );
    }
    ask(0);
}

function create_submit_args(args) {
    const values = Array.from(args);
    // What a page hands over ends with what it shows: pictures are not sent back.
    if (Array.isArray(values.at(-3))) values[values.length - 3] = null;
    return values;
}
function showSubmitButtons() {
    // The page's own buttons follow its jobs.
}
function showSubmitInterruptingPlaceholder() {}
{
    const submitting = (tab) =>
        function () {
            const id = randomId();
            const container = document.getElementById(`${tab}_gallery_container`);
            requestProgress(id, container, document.getElementById(`${tab}_gallery`), () => {});
            const values = create_submit_args(arguments);
            values[0] = id;
            return values;
        };
    window.submit = submitting("txt2img");
    window.submit_img2img = submitting("img2img");
    window.submit_extras = submitting("extras");
}
function restoreProgressTxt2img() {
    return null;
}
function restoreProgressImg2img() {
    return null;
}
