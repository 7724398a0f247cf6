// One picture of the library, large, with its text and where it can go.
import { fileOf } from "./library.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";

const TARGETS = ["txt2img", "img2img", "inpaint", "extras"];

export function showDetail(library, place) {
    const picture = library.pictures[place];
    const shown = library.shown;
    const dialog = document.getElementById("library_detail") ?? opened();
    const button = (text, work, properties = {}) => {
        const made = element("button", { type: "button", ...properties }, text);
        made.onclick = () => Promise.resolve(work()).catch((error) => toast(error.message, "error"));
        return made;
    };
    const favour = button("", async () => {
        await library.favour(picture);
        star();
    });
    const star = () => {
        favour.textContent = picture.favourite ? `★ ${t("library_unfavour")}` : `☆ ${t("library_favour")}`;
    };
    star();
    const tags = element("input", { type: "text", value: picture.tags.join(", "), placeholder: t("library_tags") });
    tags.ariaLabel = t("library_tags");
    tags.onchange = () => library.tag(picture, tags.value.split(",")).catch((error) => toast(error.message, "error"));
    const close = () => dialog.close();
    const sendTo = (target) => {
        close();
        document.getElementById(`library_send_to_${target}`)?.click();
    };
    const move = (step) => library.show(place + step);
    const side = element(
        "div",
        { className: "library-side" },
        element("h2", {}, picture.name),
        element("p", { className: "library-path" }, shown.path),
        element("div", { className: "library-buttons" }, favour, tags),
        element(
            "div",
            { className: "library-buttons" },
            ...TARGETS.map((target) => button(t(`library_to_${target}`), () => sendTo(target))),
        ),
        element("pre", { className: "library-text" }, shown.infotext || t("library_no_text")),
        verdict(shown),
        element(
            "div",
            { className: "library-buttons" },
            button(t("library_copy"), async () => {
                await navigator.clipboard.writeText(shown.infotext);
                toast(t("library_copied"));
            }),
            element("a", { href: `${fileOf(picture)}&download=true`, className: "button" }, t("library_download")),
            button(
                t("library_delete"),
                () => {
                    close();
                    return library.remove([picture]);
                },
                { className: "danger" },
            ),
        ),
    );
    const image = element("img", { src: fileOf(picture), alt: picture.name });
    const stage = element(
        "div",
        { className: "library-stage" },
        image,
        button("‹", () => move(-1), { className: "library-step before", ariaLabel: t("library_previous") }),
        button("›", () => move(1), { className: "library-step after", ariaLabel: t("library_next") }),
    );
    swipe(stage, move);
    dialog.replaceChildren(
        stage,
        side,
        button("×", close, { className: "library-close", ariaLabel: t("library_close") }),
    );
    dialog.onkeydown = (event) => {
        if (event.target.tagName === "INPUT") return;
        if (event.key === "ArrowLeft") move(-1);
        else if (event.key === "ArrowRight") move(1);
        else if (event.key === "f") favour.click();
    };
    dialog.onclose = () => library.grid.children[place]?.querySelector("button").focus();
    if (!dialog.open) dialog.showModal();
}

function opened() {
    const dialog = element("dialog", { id: "library_detail", className: "library-detail own-fields own-buttons" });
    dialog.onclick = (event) => event.target === dialog && dialog.close();
    (document.querySelector(".gradio-container") ?? document.body).append(dialog);
    return dialog;
}

/** Whether what made the picture is here: the answer to "why does this not reproduce?". */
function verdict(shown) {
    if (!shown.infotext) return null;
    if (!shown.differs.length) return element("p", { className: "library-same" }, t("library_same"));
    const lines = shown.differs.map((sentence) => element("li", {}, sentence));
    return element("div", { className: "library-differs" }, t("library_differs"), element("ul", {}, ...lines));
}

const SWIPE = 60;

function swipe(stage, move) {
    let from = null;
    stage.ontouchstart = (event) => {
        from = event.touches.length === 1 ? event.touches[0].clientX : null;
    };
    stage.ontouchend = (event) => {
        const way = from === null ? 0 : event.changedTouches[0].clientX - from;
        if (Math.abs(way) > SWIPE) move(way > 0 ? -1 : 1);
    };
}
