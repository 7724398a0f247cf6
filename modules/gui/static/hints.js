// What a field does, as a hint when the pointer rests on it.
import { t } from "./texts.js";

const TAB = /^(txt2img|img2img|extras|modelmerger)_/;

/** Fields get their hint the first time the pointer comes by: they need none before. */
export function watchHints() {
    document.addEventListener("pointerover", ({ target }) => {
        const field = target.closest?.(".block[id], .form > [id]");
        if (!field || field.dataset.hinted) return;
        field.dataset.hinted = "yes";
        const hint = t(`hint.${field.id.replace(TAB, "")}`);
        if (!hint.startsWith("⟨") && !field.title) field.title = hint;
    });
}
