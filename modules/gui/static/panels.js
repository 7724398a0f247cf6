// The panels of units that our own scripts draw. Their code comes when the first one is opened; before, there is only
// this.
const KINDS = { controls: () => import("./control.js"), "detail.units": () => import("./detail.js") };
const panels = new Map();

/** Called by Gradio when the accordion of a panel is first opened. */
export async function openPanel(given) {
    const { tab, field } = given.props;
    const { Panel } = await KINDS[field]();
    if (!panels.size) document.addEventListener("click", refreshed);
    panels.set(`${tab} ${field}`, await Panel.open(given));
}

/** `values` of the fields `names` of a tab, with what was just typed or painted in its panels. */
export function withPanels(tab, names, values) {
    return Promise.all(names.map((name, index) => panels.get(`${tab} ${name}`)?.flush() ?? values[index]));
}

/** Whatever brings the page's lists up to date presses this hidden button. */
function refreshed({ target }) {
    if (target.closest?.("#refresh_choices")) for (const panel of panels.values()) void panel.refresh();
}

export const handlers = {
    readyTxt2img: (names, ...values) => withPanels("txt2img", names, values),
};
