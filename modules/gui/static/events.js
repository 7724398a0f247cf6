// The page's only connection for news: which jobs run, wait and have ended, and which settings have changed. Tabs of one
// browser share it where they can; otherwise it is closed while nobody looks at the page.
import { address } from "./texts.js";

const NAMES = ["queue", "job", "settings"];
const AGAIN_AFTER = 3000;
const listeners = Object.fromEntries([...NAMES, "lost"].map((name) => [name, []]));
let newest = null;
let begun = false;

/** Calls `heard` with the data of every event `name`: "queue", "job", "settings"; "lost" when the connection breaks.
 *  A queue that is known already is told at once. */
export function listen(name, heard) {
    listeners[name].push(heard);
    if (name === "queue" && newest) heard(newest);
    if (!begun) begin();
}

function tell(name, data) {
    if (name === "queue") newest = data;
    for (const heard of listeners[name] ?? []) heard(data);
}

function begin() {
    begun = true;
    if (!window.SharedWorker) return alone();
    const worker = new SharedWorker(new URL("./events_worker.js", import.meta.url), { name: "atelier-events" });
    worker.onerror = alone;
    worker.port.onmessage = ({ data: { name, data } }) => tell(name, data);
    addEventListener("pagehide", ({ persisted }) => persisted || worker.port.postMessage("bye"));
    worker.port.start();
}

let source = null;

/** A stream of this page's own. */
function alone() {
    const open = () => {
        if (source || document.hidden) return;
        source = new EventSource(address("internal/events"));
        for (const name of NAMES) source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
        source.onerror = () => {
            tell("lost");
            // The browser comes back by itself unless the answer was no stream at all.
            if (source?.readyState !== EventSource.CLOSED) return;
            source = null;
            setTimeout(open, AGAIN_AFTER);
        };
    };
    const close = () => {
        source?.close();
        source = null;
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    open();
}
