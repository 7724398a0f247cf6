// Hands on a canvas: mouse, pen, fingers, wheel and keys become strokes, zoom and pan.

import { meant, moves, sizes, zooms } from "./canvas_keys.js";

/** Keeps `place` (canvas.js) and its view in hand. */
export class Hands {
    constructor(place) {
        this.place = place;
        this.view = place.view;
        this.pointers = new Map();
        this.last = null;
        this.panning = false;
        this.keys = new Set();
        this.pinch = null;
        const { screen } = this.view;
        screen.addEventListener("pointerdown", (event) => this.down(event));
        screen.addEventListener("pointermove", (event) => this.move(event));
        for (const name of ["pointerup", "pointercancel"]) screen.addEventListener(name, (event) => this.up(event));
        screen.addEventListener("pointerleave", () => place.point(null));
        screen.addEventListener("pointerenter", () => window.atelierBoot.options.canvas_blur_prompt && leavePrompt());
        screen.addEventListener("contextmenu", (event) => place.brush !== "none" && event.preventDefault());
        screen.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
        document.addEventListener("keydown", (event) => this.key(event));
        document.addEventListener("keyup", ({ key }) => this.keys.delete(key.toLowerCase()));
        addEventListener("blur", () => this.keys.clear());
    }

    down(event) {
        if (!this.place.image) return;
        event.preventDefault();
        this.view.screen.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, event);
        if (this.pointers.size === 2) return this.startPinch();
        if (this.pointers.size > 2) return;
        this.panning = event.button === 1 || moves(this.keys) || this.place.brush === "none";
        if (this.panning) return;
        this.last = this.view.inPicture(event);
        // The right button, and the back of a pen, erase.
        this.place.startStroke(event.button === 2 || event.button === 5);
        this.place.stroke(this.last, this.last);
    }

    move(event) {
        const before = this.pointers.get(event.pointerId);
        if (before) this.pointers.set(event.pointerId, event);
        if (this.pinch) return this.movePinch();
        if (this.panning && before) this.view.pan(event.clientX - before.clientX, event.clientY - before.clientY);
        else if (this.last) {
            const all = event.getCoalescedEvents?.() ?? [];
            for (const one of all.length ? all : [event]) {
                const point = this.view.inPicture(one);
                this.place.stroke(this.last, point);
                this.last = point;
            }
        }
        this.place.point(event.pointerType === "touch" ? null : this.view.inPicture(event));
    }

    up(event) {
        this.pointers.delete(event.pointerId);
        if (this.pointers.size < 2) this.pinch = null;
        if (this.pointers.size) return;
        this.panning = false;
        if (this.last) this.place.endStroke();
        this.last = null;
    }

    /** A second finger: what the first one painted was not meant. */
    startPinch() {
        if (this.last) this.place.dropStroke();
        this.last = null;
        this.panning = false;
        this.pinch = this.span();
    }

    movePinch() {
        const [before, now] = [this.pinch, this.span()];
        this.view.pan(now.clientX - before.clientX, now.clientY - before.clientY);
        this.view.zoom(now.distance / before.distance, now);
        this.pinch = now;
    }

    span() {
        const [a, b] = this.pointers.values();
        const distance = Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
        return { distance, clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
    }

    wheel(event) {
        if (!this.place.image) return;
        const amount = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
        // A pinch on a touchpad arrives as a wheel with Ctrl that nobody holds.
        const pinched = event.ctrlKey && !this.keys.has("control");
        const bare = !event.ctrlKey && !event.shiftKey && !event.altKey;
        if (zooms(event) || pinched || (this.place.expanded && bare)) {
            this.view.zoom(Math.exp(-amount / (pinched ? 100 : 400)), event);
        } else if (sizes(event)) {
            this.place.setSize(this.place.size * Math.exp(-amount / 600));
        } else if (event.shiftKey) {
            this.view.pan(-(event.deltaX || amount), 0);
        } else return;
        event.preventDefault();
    }

    key(event) {
        const { place } = this;
        const key = event.key.toLowerCase();
        this.keys.add(key);
        const typing = event.target.matches?.("input:not([type=range]), textarea, select, [contenteditable=true]");
        const here = place.expanded || place.root.matches(":hover") || place.root.contains(document.activeElement);
        if (typing || !here || !place.image || !place.root.offsetParent) return;
        const action = this.action(event, key);
        if (!action) return;
        event.preventDefault();
        action();
    }

    action({ ctrlKey, metaKey, altKey, shiftKey }, key) {
        const { place, view } = this;
        if (altKey) return null;
        if (ctrlKey || metaKey) {
            if (key === "z") return () => (shiftKey ? place.redo() : place.undo());
            return key === "y" ? () => place.redo() : null;
        }
        const actions = {
            shrink_brush: () => place.setSize(place.size / 1.15),
            grow_brush: () => place.setSize(place.size * 1.15),
            reset: () => view.fit(),
            fullscreen: () => place.expand(!place.expanded),
            "[": () => place.setSize(place.size / 1.15),
            "]": () => place.setSize(place.size * 1.15),
            e: () => place.setErasing(!place.erasing),
            o: () => place.toggleOpacity(),
            // Held: see `down`. A blank would scroll the page.
            " ": () => {},
        };
        if (key === "escape") return place.expanded ? () => place.expand(false) : null;
        return actions[meant(key)] ?? actions[key] ?? null;
    }
}

/** So that the keys of the canvas are not typed into a prompt. */
function leavePrompt() {
    if (document.activeElement?.matches(".prompt textarea")) document.activeElement.blur();
}
