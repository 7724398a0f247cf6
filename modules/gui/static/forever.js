// Generate forever: A1111's menu on a right click (or a long press) on Generate and Interrupt; touch screens show a
// button as well, since nothing tells there that a menu exists.
import { follower } from "./jobs.js";
import { openMenu } from "./menu.js";
import { canNotify, wantsNotices, wishNotices } from "./notify.js";
import { signButton } from "./signs.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

// A press that led to no job by then was refused.
const PATIENCE = 15000;
const on = {};

export function watchForever(tab) {
    const generate = document.getElementById(`${tab}_generate`);
    const button = signButton("forever", t("forever"), () => (on[tab] ? stop(tab) : start(tab)), "forever");
    button.id = `${tab}_forever`;
    button.ariaPressed = "false";
    generate.after(button);
    for (const name of ["generate", "interrupt"]) {
        const place = document.getElementById(`${tab}_${name}`);
        place?.addEventListener("contextmenu", (event) => {
            event.preventDefault();
            openMenu(event, entries(tab));
        });
        // Where a long press tells nobody: two fingers, as in A1111.
        place?.addEventListener("touchstart", (event) => event.touches.length === 2 && openMenu(event, entries(tab)), { passive: true });
    }
    document.addEventListener("atelier:finished", ({ detail }) => on[tab] && detail.tab === tab && detail.own && next(tab, detail.job));
}

function entries(tab) {
    return [
        [t("forever"), () => start(tab)],
        [t("forever_cancel"), () => stop(tab)],
        ...(canNotify() ? [[t(wantsNotices() ? "notify_off" : "notify_on"), () => wishNotices(!wantsNotices())]] : []),
    ];
}

function start(tab) {
    if (on[tab]) return;
    on[tab] = true;
    show(tab);
    if (!follower(tab).waits()) press(tab);
}

function stop(tab) {
    on[tab] = false;
    clearTimeout(on[`${tab} timer`]);
    show(tab);
}

function show(tab) {
    const button = document.getElementById(`${tab}_forever`);
    button.ariaPressed = on[tab] ? "true" : "false";
    button.title = button.ariaLabel = t(on[tab] ? "forever_cancel" : "forever");
}

function next(tab, job) {
    clearTimeout(on[`${tab} timer`]);
    if (job.state === "failed") {
        // It would fail again, for ever.
        stop(tab);
        toast(t("forever_failed"), "warning", 8);
    } else if (!follower(tab).waits()) press(tab);
}

function press(tab) {
    document.getElementById(`${tab}_generate`).click();
    on[`${tab} timer`] = setTimeout(() => !follower(tab).waits() && stop(tab), PATIENCE);
}
