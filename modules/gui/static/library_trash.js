// What was deleted, and the way back.
import { get, send } from "./library.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";

export async function showTrash(library) {
    const rows = await get("/trash").catch((error) => {
        toast(error.message, "error");
        return [];
    });
    const button = (text, work, properties = {}) => {
        const made = element("button", { type: "button", ...properties }, text);
        made.onclick = async () => {
            try {
                await work();
            } catch (error) {
                toast(error.message, "error");
            }
        };
        return made;
    };
    const again = () => showTrash(library);
    const list = element(
        "ul",
        { className: "library-trash" },
        ...rows.map((row) =>
            element(
                "li",
                {},
                element("span", {}, row.path),
                element("time", {}, new Date(row.deleted * 1000).toLocaleString()),
                button(t("library_restore"), async () => {
                    await send("/restore", { names: [row.name] });
                    await again();
                }),
            ),
        ),
    );
    const back = button(t("library_back"), async () => {
        library.top.hidden = false;
        library.root.replaceChildren(library.top, library.actions, library.note, library.grid, library.end);
        await library.search();
    });
    const empty = button(
        t("library_empty_trash"),
        async () => {
            if (!confirm(t("library_empty_trash_sure", { count: rows.length }))) return;
            await send("/trash/empty", {});
            await again();
        },
        { className: "danger", disabled: !rows.length },
    );
    const note = rows.length ? null : element("p", { className: "library-note" }, t("library_trash_empty"));
    const bar = element("div", { className: "library-bar" }, back, empty);
    library.root.replaceChildren(...[bar, note, list].filter(Boolean));
}
