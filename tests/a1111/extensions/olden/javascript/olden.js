// What scripts of extensions use of the page, once.
let oldenLoaded = [];
// Hints are replaced by others as a whole, and names are anybody's.
titles = { ...titles, "olden inside": "a hint" };
const [nextFrame, waitFor, contextMenus, press] = [1, 2, 3, 4];
function oldenSays() {
    return "from js";
}
document.addEventListener("DOMContentLoaded", () => oldenLoaded.push("dom"));
onUiLoaded(() => {
    const found = ["txt2img_prompt", "img2img_prompt", "olden_said", "script_txt2img_olden_word"];
    oldenLoaded.push(...found.filter((id) => gradioApp().querySelector(`#${id} textarea, #${id} input`)));
    const prompt = gradioApp().querySelector("#txt2img_prompt textarea");
    prompt.value = "typed by a script";
    updateInput(prompt);
});
onUiLoaded(() => {
    const html = gradioApp().querySelector("#olden_html");
    html.childNodes.forEach((node) => html.removeChild(node));
    if (!html.childNodes.length && document.querySelector(html)) oldenLoaded.push("emptied");
    if (gradioApp().querySelector("#olden_inside")) oldenLoaded.push("inner tab");
    if (!gradioApp().querySelector("#olden_heard")) oldenLoaded.push("left closed");
});
onOptionsChanged(() => oldenLoaded.push(`year ${opts.olden_year}`));
