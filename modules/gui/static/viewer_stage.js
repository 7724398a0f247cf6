// The picture of the viewer under wheel, fingers and mouse: zoom about the pointer, pan, swipe.
const LARGEST = 16;
const SWIPE = 60;
const STEP = 1.2;

export class Stage {
    /** `box` is what is moved inside `frame`; `swiped(direction)` is told -1, 1, or 0 for a swipe down. */
    constructor(frame, box, swiped) {
        this.frame = frame;
        this.box = box;
        this.swiped = swiped;
        this.pointers = new Map();
        this.reset();
        frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
        frame.addEventListener("pointerdown", (event) => this.down(event));
        frame.addEventListener("pointermove", (event) => this.move(event));
        for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, (event) => this.up(event));
        frame.addEventListener("dblclick", (event) => this.scale > 1 ? this.reset() : this.zoom(2.5, event));
    }

    reset() {
        this.scale = 1;
        this.x = 0;
        this.y = 0;
        this.draw();
    }

    draw() {
        this.box.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
        this.frame.classList.toggle("zoomed", this.scale > 1);
    }

    /** Zooms to `scale` so that what is under `at` stays there; no `at`: the middle. */
    zoom(scale, at) {
        const frame = this.frame.getBoundingClientRect();
        const x = (at?.clientX ?? frame.left + frame.width / 2) - frame.left - frame.width / 2;
        const y = (at?.clientY ?? frame.top + frame.height / 2) - frame.top - frame.height / 2;
        const next = Math.min(LARGEST, Math.max(1, scale));
        this.x = x - ((x - this.x) * next) / this.scale;
        this.y = y - ((y - this.y) * next) / this.scale;
        this.scale = next;
        this.keepInside(frame);
        this.draw();
    }

    keepInside(frame) {
        const [most, high] = [(frame.width * (this.scale - 1)) / 2, (frame.height * (this.scale - 1)) / 2];
        this.x = Math.min(most, Math.max(-most, this.x));
        this.y = Math.min(high, Math.max(-high, this.y));
    }

    wheel(event) {
        event.preventDefault();
        this.zoom(this.scale * (event.deltaY < 0 ? STEP : 1 / STEP), event);
    }

    down(event) {
        if (event.button || event.target.closest("input, button")) return;
        this.frame.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, event);
        this.start = event;
        this.moved = false;
        this.pinched = this.pointers.size > 1;
    }

    move(event) {
        const before = this.pointers.get(event.pointerId);
        if (!before) return;
        const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
        this.pointers.set(event.pointerId, event);
        if (Math.hypot(event.clientX - this.start.clientX, event.clientY - this.start.clientY) > 6) this.moved = true;
        if (others.length) {
            const [other] = others;
            const gap = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
            const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
            this.zoom((this.scale * gap(event)) / gap(before), middle);
        } else if (this.scale > 1) {
            this.x += event.clientX - before.clientX;
            this.y += event.clientY - before.clientY;
            this.keepInside(this.frame.getBoundingClientRect());
            this.draw();
        }
    }

    up(event) {
        if (!this.pointers.delete(event.pointerId) || this.pointers.size || this.pinched || this.scale > 1 || event.type !== "pointerup") return;
        const [x, y] = [event.clientX - this.start.clientX, event.clientY - this.start.clientY];
        if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) this.swiped(x < 0 ? 1 : -1);
        else if (y > 2 * SWIPE && y > 2 * Math.abs(x)) this.swiped(0);
    }
}
