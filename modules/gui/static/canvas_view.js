// The window on a picture: where it is, how large, and what is drawn there.
const MOST = 32;

export class View {
    /** `screen` is the canvas on the page; `layers()` gives what is drawn: [{ image, alpha }]; `ring()` the brush or null. */
    constructor(screen, layers, ring) {
        this.screen = screen;
        this.context = screen.getContext("2d");
        this.layers = layers;
        this.ring = ring;
        this.size = [0, 0];
        this.scale = 1;
        this.x = 0;
        this.y = 0;
        this.fitted = true;
        this.frame = 0;
        new ResizeObserver(() => this.resized()).observe(screen);
    }

    get ratio() {
        return window.devicePixelRatio || 1;
    }

    /** A picture of this size is looked at, as a whole. */
    open(width, height) {
        this.size = [width, height];
        this.fit();
    }

    resized() {
        const { clientWidth, clientHeight } = this.screen;
        if (!clientWidth) return;
        const [width, height] = [Math.round(clientWidth * this.ratio), Math.round(clientHeight * this.ratio)];
        if (this.screen.width === width && this.screen.height === height) return;
        Object.assign(this.screen, { width, height });
        if (this.fitted) this.fit();
        else this.draw();
    }

    fit() {
        const { clientWidth, clientHeight } = this.screen;
        const [width, height] = this.size;
        this.fitted = true;
        if (!width || !clientWidth) return;
        this.scale = Math.min(clientWidth / width, clientHeight / height);
        this.x = (clientWidth - width * this.scale) / 2;
        this.y = (clientHeight - height * this.scale) / 2;
        this.draw();
    }

    /** Where the pointer of `event` is in the picture, in its pixels. */
    inPicture({ clientX, clientY }) {
        const box = this.screen.getBoundingClientRect();
        return [(clientX - box.left - this.x) / this.scale, (clientY - box.top - this.y) / this.scale];
    }

    zoom(factor, { clientX, clientY }) {
        const box = this.screen.getBoundingClientRect();
        const least = 0.2 * Math.min(this.screen.clientWidth / this.size[0], this.screen.clientHeight / this.size[1]);
        const scale = Math.min(MOST, Math.max(least, this.scale * factor));
        const [x, y, change] = [clientX - box.left, clientY - box.top, scale / this.scale];
        this.x = x - (x - this.x) * change;
        this.y = y - (y - this.y) * change;
        this.scale = scale;
        this.fitted = false;
        this.draw();
    }

    pan(dx, dy) {
        this.x += dx;
        this.y += dy;
        this.fitted = false;
        this.draw();
    }

    draw() {
        this.frame ||= requestAnimationFrame(() => {
            this.frame = 0;
            this.drawNow();
        });
    }

    drawNow() {
        const { context, scale, ratio } = this;
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.clearRect(0, 0, this.screen.width, this.screen.height);
        context.setTransform(scale * ratio, 0, 0, scale * ratio, this.x * ratio, this.y * ratio);
        // Larger than life: pixels are seen as what they are.
        context.imageSmoothingEnabled = scale * ratio < 1;
        context.imageSmoothingQuality = "high";
        for (const { image, alpha } of this.layers()) {
            context.globalAlpha = alpha;
            context.drawImage(image, 0, 0);
        }
        context.globalAlpha = 1;
        const ring = this.ring();
        if (ring) this.drawRing(ring);
    }

    drawRing({ x, y, radius }) {
        const { context, scale } = this;
        for (const [style, width] of [["rgb(0 0 0 / 0.7)", 3], ["#fff", 1.2]]) {
            context.beginPath();
            context.arc(x, y, radius, 0, 2 * Math.PI);
            context.strokeStyle = style;
            context.lineWidth = width / scale;
            context.stroke();
        }
    }
}
