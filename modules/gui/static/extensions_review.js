// What an extension, or an update of one, brings: shown before anything of it runs.
import { button, change } from "./extensions.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";

const WORDS = {
    network: "network",
    programs: "programs",
    pickle: "pickle",
    system: "system",
    "code from text": "code",
    "deletes files": "deletes",
    "decodes data": "decodes",
    address: "address",
    unreadable: "unreadable",
};

export function showReview(page, found) {
    const { review } = found;
    const own = element("input", { type: "checkbox" });
    const dialog = element("dialog", { className: "extensions-review own-fields own-buttons", id: "extensions_review" });
    const close = () => dialog.close();
    const install = button(
        t(found.update ? "ext_update" : "ext_install"),
        async () => {
            const done = await change("/install", { token: found.token, own_packages: own.checked });
            found.token = null;
            close();
            tell(done);
            await page.open("installed");
        },
        { className: "primary", id: "extensions_install" },
    );
    dialog.append(
        element("h2", {}, t(found.update ? "ext_review_update" : "ext_review", { name: found.name })),
        found.commit ? element("p", {}, `${t("ext_commit")} ${found.commit}`) : "",
        element(
            "p",
            {},
            t("ext_files", {
                added: review.added.length,
                changed: review.changed.length,
                removed: review.removed.length,
            }),
        ),
        ...findings(review.findings),
        element("p", { className: "extensions-soft" }, t("ext_proof")),
        ...asked(review, found.update ? null : own),
        changes(review),
        element(
            "div",
            { className: "extensions-bar" },
            install,
            button(t("ext_dismiss"), async () => close()),
        ),
    );
    dialog.onclose = () => {
        dialog.remove();
        if (found.token) change("/dismiss", { token: found.token }).catch(() => {});
    };
    (document.querySelector(".gradio-container") ?? document.body).append(dialog);
    dialog.showModal();
}

function findings(found) {
    if (!found.length) return [element("p", {}, t("ext_no_findings"))];
    const kinds = new Map();
    for (const one of found) kinds.set(one.what, [...(kinds.get(one.what) ?? []), one]);
    return [
        element("h3", {}, t("ext_findings")),
        ...[...kinds].map(([what, list]) =>
            element(
                "details",
                {},
                element("summary", {}, `${t(`ext_what_${WORDS[what] ?? "unreadable"}`)} (${list.length})`),
                element("ul", {}, ...list.map((one) => element("li", {}, `${one.detail} — ${one.file}:${one.line}`))),
            ),
        ),
    ];
}

function asked(review, own) {
    const parts = [];
    if (review.installs) parts.push(element("p", {}, t("ext_installs")));
    if (review.requirements.length) {
        parts.push(element("h3", {}, t("ext_requirements")));
        parts.push(element("ul", {}, ...review.requirements.map((line) => element("li", {}, line))));
    }
    if (review.installs && own) parts.push(element("label", {}, own, ` ${t("ext_own_packages")}`));
    return parts;
}

function changes(review) {
    if (!review.diff) return "";
    const lines = review.diff.split("\n").map((line) => {
        const kind = line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "";
        return element("span", { className: kind }, `${line}\n`);
    });
    return element("details", {}, element("summary", {}, t("ext_diff")), element("pre", { className: "diff" }, ...lines));
}

function tell(done) {
    toast(t(done.done ? "ext_done" : "ext_failed", { name: done.name }), done.done ? "info" : "error");
    if (!done.done) toast([done.remedy, ...done.lines.slice(-3)].filter(Boolean).join("\n"), "error");
    if (done.changed.length) toast(t("ext_changed", { list: done.changed.join(", ") }), "warning", 20);
}
