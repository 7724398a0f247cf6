// The fields that our own scripts draw, one for each kind of control that the server declares.
import { element, t } from "./texts.js";

// Each: (setting, id, changed) -> [element, write(value)].
export const FIELDS = {
    checkbox({ value }, id, changed) {
        const box = element("input", { type: "checkbox", id, checked: Boolean(value) });
        box.onchange = () => changed(box.checked);
        return [box, (to) => (box.checked = Boolean(to))];
    },
    number({ value, control }, id, changed) {
        const box = numberBox(id, value, control);
        let last = value;
        box.onchange = () => {
            if (box.value !== "") changed((last = Number(box.value)));
            else if (control.optional) changed((last = null));
            else box.value = last;
        };
        return [box, (to) => (box.value = last = to)];
    },
    slider({ value, control }, id, changed) {
        const range = element("input", { type: "range", min: control.min, max: control.max, step: control.step, value, tabIndex: -1, ariaHidden: "true" });
        const box = numberBox(id, value, control);
        range.oninput = () => ((box.value = range.value), changed(Number(range.value)));
        box.onchange = () => {
            if (box.value === "") box.value = range.value;
            range.value = box.value;
            changed(Number(box.value));
        };
        return [element("div", { className: "range" }, range, box), (to) => ((range.value = to), (box.value = to))];
    },
    colour({ value }, id, changed) {
        const box = element("input", { type: "color", id, value });
        box.oninput = () => changed(box.value);
        return [box, (to) => (box.value = to)];
    },
    text({ value, control }, id, changed) {
        const box = control.lines > 1 ? element("textarea", { id, rows: control.lines, value: value ?? "" }) : element("input", { type: "text", id, value: value ?? "" });
        box.oninput = () => changed(box.value);
        // Writing what is there already would disturb an input method in the middle of a word.
        const write = (to) => {
            if (box.value !== (to ?? "")) box.value = to ?? "";
        };
        return [box, write];
    },
    choice({ value, control }, id, changed) {
        const box = element("select", { id });
        let drawn = null;
        const fill = (to) => {
            const wanted = JSON.stringify(to);
            // A list may have thousands of names: it is drawn again only where it must be.
            if (drawn !== control.choices || ![...box.options].some((option) => option.value === wanted)) {
                drawn = control.choices;
                const known = drawn.some(([one]) => one === to);
                const offered = known ? drawn : [[to, String(to)], ...drawn];
                box.replaceChildren(...offered.map(([one, label]) => element("option", { value: JSON.stringify(one) }, label)));
            }
            box.value = wanted;
        };
        fill(value);
        box.onchange = () => changed(JSON.parse(box.value));
        return [box, fill];
    },
    radio(setting, id, changed) {
        const { value, control } = setting;
        const inputs = control.choices.map(([one], index) =>
            element("input", { type: "radio", name: id, id: index ? `${id}_${index}` : id, value: JSON.stringify(one), checked: one === value }),
        );
        const box = element("div", { className: "choices", role: "radiogroup" });
        inputs.forEach((input, index) => {
            input.onchange = () => changed(control.choices[index][0]);
            box.append(element("label", {}, input, element("span", {}, control.choices[index][1])));
        });
        return [box, (to) => inputs.forEach((input, index) => (input.checked = control.choices[index][0] === to))];
    },
    many({ value, control }, id, changed) {
        const box = element("div", { className: "choices many", role: "group" });
        const draw = (picked) => {
            const missing = picked.filter((one) => !control.choices.some(([known]) => known === one)).map((one) => [one, String(one)]);
            const all = [...control.choices, ...missing];
            box.replaceChildren(
                ...(all.length
                    ? all.map(([one, label], index) => {
                          const input = element("input", { type: "checkbox", id: index ? `${id}_${index}` : id, checked: picked.includes(one) });
                          // Kept in the order of choosing: for some settings it is the order of the page.
                          input.onchange = () => ((picked = input.checked ? [...picked, one] : picked.filter((other) => other !== one)), changed(picked));
                          return element("label", {}, input, element("span", {}, label));
                      })
                    : [element("span", { className: "setting-help" }, t("settings_nothing_to_choose"))]),
            );
        };
        draw(value ?? []);
        return [box, (to) => draw(to ?? [])];
    },
};

function numberBox(id, value, control) {
    const box = element("input", { type: "number", id, value });
    if (control.min !== null && control.min !== undefined) box.min = control.min;
    if (control.max !== null && control.max !== undefined) box.max = control.max;
    box.step = control.step ?? "any";
    return box;
}
