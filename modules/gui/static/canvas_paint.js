// What is painted over a picture, pixel by pixel: a pixel has paint or has none, never half of it, so that what is sent
// is what was seen, on every browser. Undo keeps the tiles that a stroke touched.
const TILE = 128;
const HISTORY_BYTES = 256 * 2 ** 20;

export class Paint {
    constructor(width, height) {
        this.sheet = Object.assign(document.createElement("canvas"), { width, height });
        // In main memory: strokes are read back for undo, and graphics memory rounds colours on some machines.
        this.context = this.sheet.getContext("2d", { willReadFrequently: true });
        this.done = [];
        this.undone = [];
        this.touched = null;
    }

    /** A stroke begins: what follows until `end` is undone at once. */
    begin() {
        this.touched = new Map();
    }

    /** Paints, or erases if `colour` is null, every pixel whose centre is at most `radius` from the line between two points. */
    line([ax, ay], [bx, by], radius, colour) {
        const { width, height } = this.sheet;
        const top = Math.max(0, Math.floor(Math.min(ay, by) - radius));
        const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by) + radius));
        const left = Math.max(0, Math.floor(Math.min(ax, bx) - radius));
        const right = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + radius));
        if (top > bottom || left > right) return;
        this.keep(left, top, right, bottom);
        if (colour) this.context.fillStyle = colour;
        for (let y = top; y <= bottom; y++) {
            const [from, to] = rowOf(ax, ay, bx, by, radius, y + 0.5);
            const first = Math.max(0, Math.ceil(from - 0.5));
            const last = Math.min(width - 1, Math.floor(to - 0.5));
            if (first > last) continue;
            if (colour) this.context.fillRect(first, y, last - first + 1, 1);
            else this.context.clearRect(first, y, last - first + 1, 1);
        }
    }

    /** The stroke is complete; whether it touched anything. */
    end() {
        const touched = this.touched;
        this.touched = null;
        if (!touched?.size) return false;
        this.done.push([...touched.values()]);
        this.undone = [];
        let bytes = 0;
        let kept = this.done.length;
        while (kept > 0 && (bytes += sizeOf(this.done[kept - 1])) <= HISTORY_BYTES) kept--;
        this.done.splice(0, Math.min(kept, this.done.length - 1));
        return true;
    }

    /** The stroke that is being painted never was. */
    drop() {
        for (const { x, y, data } of this.touched?.values() ?? []) this.context.putImageData(data, x, y);
        this.touched = null;
    }

    undo() {
        return this.swap(this.done, this.undone);
    }

    redo() {
        return this.swap(this.undone, this.done);
    }

    clear() {
        this.begin();
        this.keep(0, 0, this.sheet.width - 1, this.sheet.height - 1);
        this.context.clearRect(0, 0, this.sheet.width, this.sheet.height);
        return this.end();
    }

    /** Shows what was painted at another time: `image` of the same size. */
    restore(image) {
        this.context.clearRect(0, 0, this.sheet.width, this.sheet.height);
        this.context.drawImage(image, 0, 0);
    }

    get empty() {
        const { width, height } = this.sheet;
        for (let y = 0; y < height; y += TILE) {
            const words = new Uint32Array(this.context.getImageData(0, y, width, Math.min(TILE, height - y)).data.buffer);
            if (words.some(Boolean)) return false;
        }
        return true;
    }

    /** The paint as a PNG. */
    file() {
        return new Promise((done) => this.sheet.toBlob(done, "image/png"));
    }

    keep(left, top, right, bottom) {
        if (!this.touched) return;
        for (let y = top - (top % TILE); y <= bottom; y += TILE) {
            for (let x = left - (left % TILE); x <= right; x += TILE) {
                const key = `${x},${y}`;
                if (!this.touched.has(key)) this.touched.set(key, { x, y, data: this.tile(x, y) });
            }
        }
    }

    tile(x, y) {
        return this.context.getImageData(x, y, Math.min(TILE, this.sheet.width - x), Math.min(TILE, this.sheet.height - y));
    }

    swap(from, to) {
        const stroke = from.pop();
        if (!stroke) return false;
        to.push(stroke.map(({ x, y }) => ({ x, y, data: this.tile(x, y) })));
        for (const { x, y, data } of stroke) this.context.putImageData(data, x, y);
        return true;
    }
}

const sizeOf = (stroke) => stroke.reduce((sum, { data }) => sum + data.data.length, 0);

/** The part [from, to] of the row at height y that is at most r from the line a-b; from > to where there is none. */
function rowOf(ax, ay, bx, by, r, y) {
    let from = Infinity;
    let to = -Infinity;
    const join = (low, high) => {
        if (low > high) return;
        from = Math.min(from, low);
        to = Math.max(to, high);
    };
    for (const [x, cy] of [[ax, ay], [bx, by]]) {
        const half = r * r - (y - cy) * (y - cy);
        if (half >= 0) join(x - Math.sqrt(half), x + Math.sqrt(half));
    }
    const length = Math.hypot(bx - ax, by - ay);
    if (length) {
        // Between the two ends: where the distance across the line and the way along it are both within bounds.
        const [dx, dy, h] = [(bx - ax) / length, (by - ay) / length, y - ay];
        const [low, high] = within(-dy, h * dx, -r, r);
        const [begin, end] = within(dx, h * dy, 0, length);
        join(ax + Math.max(low, begin), ax + Math.min(high, end));
    }
    return [from, to];
}

/** Those x for which low <= x * slope + offset <= high. */
function within(slope, offset, low, high) {
    if (Math.abs(slope) < 1e-12) return offset >= low && offset <= high ? [-Infinity, Infinity] : [Infinity, -Infinity];
    const ends = [(low - offset) / slope, (high - offset) / slope];
    return [Math.min(...ends), Math.max(...ends)];
}
