// Tells that a picture is ready: a sound if the data folder has notification.mp3, and a message of the browser's if the
// person wants that and looks elsewhere. Only in the page that asked for the picture, so that it is told once.
import { address, t } from "./texts.js";
import { toast } from "./toast.js";

const KEY = "atelier.notices";

export const canNotify = () => "Notification" in window && window.isSecureContext;
export const wantsNotices = () => canNotify() && Notification.permission === "granted" && localStorage.getItem(KEY) === "on";

/** Turns messages of the browser on, which asks the person whether it may, or off. */
export async function wishNotices(wanted) {
    if (wanted && (await Notification.requestPermission()) !== "granted") return void toast(t("notify_refused"), "warning");
    localStorage.setItem(KEY, wanted ? "on" : "off");
    toast(t(wanted ? "notify_is_on" : "notify_is_off"), "info", 3);
}

export function watchFinished() {
    document.addEventListener("atelier:finished", ({ detail: { tab, job, own } }) => {
        if (!own || job.state !== "done") return;
        sound();
        if (wantsNotices() && !(document.visibilityState === "visible" && document.hasFocus())) message(tab, job);
    });
}

function sound() {
    const { notification_audio: on, notification_volume: volume, notification_sound: there } = window.atelierBoot.options;
    if (!on || !there) return;
    const audio = new Audio(address("internal/gui/notification.mp3"));
    audio.volume = Math.min(1, Math.max(0, volume / 100));
    // A browser plays nothing on a page where nobody has clicked yet.
    audio.play().catch(() => {});
}

function message(tab, job) {
    const note = new Notification("Atelier", {
        body: t("notify_done"),
        tag: "atelier",
        icon: address(`internal/queue/${job.id}/thumbnails/0`).href,
    });
    note.onclick = () => {
        window.focus();
        document.getElementById(`tab_${tab}-button`)?.click();
        note.close();
    };
}
