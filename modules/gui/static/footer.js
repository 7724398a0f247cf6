// The line at the foot of the page: A1111's #footer.
import { listen } from "./events.js";
import { sheet } from "./sheets.js";
import { address, element, t } from "./texts.js";

export async function watchFooter() {
    const line = document.querySelector("#footer .versions");
    if (!line) return;
    const draw = async () => {
        const answer = await fetch(address("internal/gui/versions")).catch(() => null);
        if (answer?.ok) line.replaceChildren(...parts(await answer.json()));
    };
    listen("settings", ({ keys }) => keys.includes("sd_model_checkpoint") && draw());
    await draw();
}

function parts({ versions, checkpoint }) {
    const reload = element("button", { type: "button", className: "link" }, t("footer_reload"));
    reload.onclick = () => location.reload();
    const profile = element("button", { type: "button", className: "link" }, t("footer_startup"));
    profile.onclick = showStart;
    const hash = element("span", { title: checkpoint.name }, checkpoint.hash || checkpoint.name);
    return [
        element("a", { href: address("docs"), target: "_blank", rel: "noopener" }, "API"),
        profile,
        reload,
        ...versions.map(([name, version]) => element("span", {}, `${name}: ${version}`)),
        ...(checkpoint.name ? [element("span", {}, `${t("footer_checkpoint")}: `, hash)] : []),
    ];
}

/** A part of the start in the reader's language; those of others as they call them. */
function said(name) {
    const known = t(`start.${name}`);
    return known.startsWith("⟨") ? name : known;
}

/** What the start was spent on, the longest parts of it as bars. */
async function showStart() {
    await sheet("dialogs.css");
    const { total, records } = await (await fetch(address("internal/profile-startup"))).json();
    const close = element("button", { type: "button" }, t("close"));
    const longest = Math.max(...Object.values(records));
    const rows = Object.entries(records).map(([name, seconds]) =>
        element("tr", {}, element("th", { scope: "row" }, said(name)), element("td", {}, `${seconds.toFixed(2)} s`), element("td", {}, element("meter", { value: seconds, max: longest, ariaLabel: name }))),
    );
    const box = element(
        "dialog",
        { className: "own-dialog own-buttons start-times", ariaLabel: t("footer_startup") },
        element("h2", {}, `${t("footer_startup")}: ${total.toFixed(1)} s`),
        element("table", {}, element("tbody", {}, ...rows)),
        close,
    );
    close.onclick = () => box.close();
    box.onclick = ({ target }) => target === box && box.close();
    box.onclose = () => box.remove();
    document.body.append(box);
    box.showModal();
}
