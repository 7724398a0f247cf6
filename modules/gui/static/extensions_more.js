// The other parts of the Extensions tab: what others offer, install from somewhere, backups.
import { button, change, get } from "./extensions.js";
import { showReview } from "./extensions_review.js";
import { element, t } from "./texts.js";
import { toast } from "./toast.js";
import { tell } from "./told.js";

const HIDDEN = ["ads", "localization", "installed"];

const field = (key, type = "text") => element("input", { type, placeholder: t(key), ariaLabel: t(key) });

export async function showAvailable(page) {
    const url = field("ext_index", "url");
    const search = field("ext_search", "search");
    const order = element("select", { ariaLabel: t("ext_order") });
    const tags = element("fieldset", { className: "extensions-tags" }, element("legend", {}, t("ext_hide")));
    const count = element("p", { className: "extensions-note", role: "status" });
    const list = element("div", { className: "extensions-list" });
    const hidden = new Set(HIDDEN);
    const look = async () => {
        const values = { search: search.value, hide: [...hidden].join(",") };
        if (order.value) values.order = order.value;
        const found = await get("/available", values);
        search.parentElement.hidden = tags.hidden = !found.loaded;
        count.textContent = found.loaded ? t("ext_offers", { count: found.offers.length }) : t("ext_not_loaded");
        if (!order.options.length) order.append(...found.orders.map((value) => element("option", { value }, value)));
        if (tags.children.length === 1) tags.append(...Object.entries(found.tags).map(([tag, meaning]) => choice(tag, meaning)));
        list.replaceChildren(...found.offers.map((offer) => entry(page, offer)));
    };
    const choice = (tag, meaning) => {
        const box = element("input", { type: "checkbox", checked: hidden.has(tag) });
        box.onchange = () => {
            if (box.checked) hidden.add(tag);
            else hidden.delete(tag);
            look().catch((error) => tell(error.message));
        };
        return element("label", { title: meaning }, box, ` ${tag}`);
    };
    const load = button(t("ext_load"), async () => {
        await change("/available", { url: url.value });
        await look();
    });
    let typing = 0;
    search.oninput = () => {
        clearTimeout(typing);
        typing = setTimeout(() => look().catch((error) => tell(error.message)), 200);
    };
    order.onchange = () => look().catch((error) => tell(error.message));
    page.body.replaceChildren(
        element("div", { className: "extensions-bar" }, url, load),
        element("div", { className: "extensions-bar" }, search, order),
        tags,
        count,
        list,
    );
    await look();
}

function entry(page, offer) {
    const act = offer.installed
        ? element("button", { type: "button", disabled: true }, t("ext_is_installed"))
        : button(t("ext_fetch"), async () => showReview(page, await change("/fetch", { url: offer.url })));
    const facts = [offer.stars ? `★ ${offer.stars}` : "", offer.updated.slice(0, 10), offer.tags.join(", ")];
    const name = /^https?:/.test(offer.url)
        ? element("a", { href: offer.url, target: "_blank", rel: "noreferrer noopener" }, offer.name)
        : element("span", {}, offer.name);
    return element(
        "section",
        { className: "extensions-row" },
        element("div", { className: "extensions-name" }, name),
        element("div", { className: "extensions-facts" }, element("p", {}, offer.description), element("p", {}, facts.filter(Boolean).join(" · "))),
        element("div", { className: "extensions-actions" }, act),
    );
}

export async function showFrom(page) {
    const url = field("ext_url", "url");
    const branch = field("ext_branch");
    const name = field("ext_name");
    const folder = field("ext_folder");
    const zip = element("input", { type: "file", accept: ".zip" });
    url.id = "extensions_url";
    const look = (work) => button(t("ext_fetch"), async () => showReview(page, await work()));
    zip.onchange = async () => {
        if (!zip.files[0]) return;
        try {
            const data = await base64(zip.files[0]);
            showReview(page, await change("/archive", { name: zip.files[0].name, data }));
        } catch (error) {
            tell(error.message);
        }
        zip.value = "";
    };
    page.body.replaceChildren(
        element(
            "div",
            { className: "extensions-bar" },
            ...[url, branch, name, look(() => change("/fetch", { url: url.value, branch: branch.value, name: name.value }))],
        ),
        element("div", { className: "extensions-bar" }, folder, look(() => change("/folder", { path: folder.value }))),
        element("div", { className: "extensions-bar" }, element("label", { className: "button own-file" }, t("ext_zip"), zip)),
    );
}

function base64(file) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(file);
    });
}

export async function showBackups(page) {
    const name = field("ext_backup_name");
    const rows = await get("/states");
    const save = button(t("ext_backup"), async () => {
        await change("/states", { name: name.value });
        await page.open("backups");
    });
    page.body.replaceChildren(
        element("div", { className: "extensions-bar" }, name, save),
        element("p", { className: "extensions-note", hidden: rows.length > 0 }, t("ext_no_backups")),
        element("div", { className: "extensions-list" }, ...(await Promise.all(rows.map((row) => backup(page, row))))),
    );
}

async function backup(page, row) {
    const differs = await get(`/states/${encodeURIComponent(row.file)}`);
    const lines = differs.map((one) => element("li", {}, `${one.name}: ${one.now} → ${one.then}`));
    const restore = button(
        t("ext_restore"),
        async () => {
            const done = await change("/states/restore", { file: row.file });
            toast(t("ext_restored"));
            for (const problem of done.problems) tell(problem, "warning", 15);
            await page.open("backups");
        },
        { disabled: !differs.length },
    );
    return element(
        "section",
        { className: "extensions-row" },
        element("div", { className: "extensions-name" }, row.name),
        element(
            "div",
            { className: "extensions-facts" },
            element("p", {}, new Date(row.created_at * 1000).toLocaleString()),
            lines.length ? element("ul", {}, ...lines) : element("p", {}, t("ext_same")),
        ),
        element("div", { className: "extensions-actions" }, restore),
    );
}
