// What Gradio leaves out for people who use a keyboard or a screen reader.

/** The stop buttons of `tab` can be reached only while there is something to stop. */
export function watchStopping(tab) {
    const buttons = ["interrupt", "skip"].map((name) => document.getElementById(`${tab}_${name}`)).filter(Boolean);
    const follow = () => buttons.forEach((button) => (button.disabled = !document.body.dataset.job));
    new MutationObserver(follow).observe(document.body, { attributes: true, attributeFilter: ["data-job"] });
    follow();
}

/** An upload field is called by the words that stand in it, in the page's language, not by Gradio's English ones. */
export function nameUploads(id) {
    const place = document.getElementById(id);
    const follow = () => place.querySelectorAll("button[aria-label].upload-container, button[aria-label][aria-dropeffect]").forEach((button) => button.removeAttribute("aria-label"));
    new MutationObserver(follow).observe(place, { childList: true, subtree: true });
    follow();
}
