// What happens between fields, without asking the server.
import { t } from "./texts.js";
import { toast } from "./toast.js";

const COUNT_AFTER = 250;
const counting = {};

export const handlers = {
    swapSize: (width, height) => [height, width],
    pickSize: (size) => [...(size.match(/\d+/g) ?? []).map(Number), null],
    randomSeed: () => -1,
    hiresSize,
    countTokens: (tab) => {
        clearTimeout(counting[tab]);
        counting[tab] = setTimeout(() => document.getElementById(`${tab}_token_button`)?.click(), COUNT_AFTER);
    },
};

function hiresSize(tab, width, height, scale, toWidth, toHeight) {
    let [x, y] = [Math.round(width * scale), Math.round(height * scale)];
    if (toWidth || toHeight) {
        if (!toHeight) [x, y] = [toWidth, Math.floor((height * toWidth) / width)];
        else if (!toWidth) [x, y] = [Math.floor((width * toHeight) / height), toHeight];
        else [x, y] = [toWidth, toHeight];
    }
    const text = t("hires_size", { from: `${width} × ${height}`, to: `${x} × ${y}` });
    // The accordion's inside appears a moment after it is opened.
    const write = (tries) => {
        const line = document.querySelector(`#${tab}_hires_size .hires-size`);
        if (line) line.textContent = text;
        else if (tries) setTimeout(write, 50, tries - 1);
    };
    write(20);
}

export function watchFields() {
    // Tool buttons show an icon; their words appear as a hint.
    document.addEventListener("pointerover", ({ target }) => {
        const button = target.closest?.("button.tool");
        if (button && !button.title) button.title = button.textContent.trim();
    });
    // "1024x768" pasted into a size field fills both.
    document.addEventListener("paste", (event) => {
        const box = event.target.closest?.(":is(#txt2img_width, #txt2img_height, #img2img_width, #img2img_height)");
        const size = event.clipboardData?.getData("text").match(/^\s*(\d{2,5})\s*[x×*]\s*(\d{2,5})\s*$/i);
        if (!box || !size) return;
        event.preventDefault();
        const tab = box.id.split("_")[0];
        setNumber(`${tab}_width`, size[1]);
        setNumber(`${tab}_height`, size[2]);
        toast(t("size_pasted", { size: `${size[1]} × ${size[2]}` }), "info", 2);
    });
}

export function setNumber(id, value) {
    const box = document.querySelector(`#${id} input[type=number]`);
    box.value = value;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.dispatchEvent(new Event("blur", { bubbles: true }));
}
