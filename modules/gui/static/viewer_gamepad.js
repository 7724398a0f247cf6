// A gamepad's left stick goes through the pictures.
const FAR = 0.6;
const EVERY = 50;

export function watchGamepad(go, repeat) {
    let last = 0;
    setInterval(() => {
        const pads = [...navigator.getGamepads()].filter(Boolean);
        const way = pads.map((pad) => pad.axes[0]).find((axis) => Math.abs(axis) > FAR);
        if (way === undefined) last = 0;
        else if (performance.now() - last > Math.max(repeat, EVERY)) {
            last = performance.now();
            go(Math.sign(way));
        }
    }, EVERY);
}
