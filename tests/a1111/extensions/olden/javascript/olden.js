// What scripts of extensions use of the page, once.
let oldenLoaded = [];
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
onOptionsChanged(() => oldenLoaded.push(`year ${opts.olden_year}`));
