// One stream of news for all tabs of this browser: it makes six connections to a host, and a stream in each of seven
// tabs would leave none for anything else. Tabs that open later get what is known at once.
const ports = new Set();
let queue = null;
const jobs = new Map();

const AGAIN_AFTER = 3000;
let source = null;

function tell(message) {
    for (const port of ports) port.postMessage(message);
}

function open() {
    source = new EventSource(new URL("../../../events", location.href));
    source.onerror = () => {
        queue = null;
        tell({ name: "lost" });
        // The browser comes back by itself unless the answer was no stream at all.
        if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_AFTER);
    };
    for (const name of ["queue", "job", "settings"]) source.addEventListener(name, (event) => heard(name, JSON.parse(event.data)));
}

function heard(name, data) {
    if (name === "queue") {
        queue = data;
        jobs.clear();
    } else if (name === "job" && data.state === "running") jobs.set(data.id, data);
    else if (name === "job") jobs.delete(data.id);
    tell({ name, data });
}

open();

self.onconnect = ({ ports: [port] }) => {
    ports.add(port);
    port.onmessage = ({ data }) => data === "bye" && ports.delete(port);
    if (queue) port.postMessage({ name: "queue", data: queue });
    for (const data of jobs.values()) port.postMessage({ name: "job", data });
};
