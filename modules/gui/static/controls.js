// The ControlNet panels of the tabs. Their code comes when the first one is opened; before, there is only this.
const panels = {};

/** Called by Gradio when the accordion of a tab is first opened. */
export async function openControl(given) {
    const { Panel } = await import("./control.js");
    panels[given.props.tab] = await Panel.open(given);
}

/** `values` of the fields `names` of a tab, with what was just painted in its panel. */
export async function withControls(tab, names, values) {
    const panel = panels[tab];
    if (!panel) return values;
    const value = await panel.flush();
    return names.map((name, index) => (name === "controls" ? value : values[index]));
}

export const handlers = {
    readyTxt2img: (names, ...values) => withControls("txt2img", names, values),
};
