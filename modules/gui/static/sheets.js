// Style sheets that come only when what they dress is first shown.
const loaded = {};

/** Resolves once the sheet `name` holds. */
export const sheet = (name) =>
    (loaded[name] ??= new Promise((done) => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.href = new URL(`./${name}`, import.meta.url);
        // Without its sheet it is plain, but it works.
        link.onload = link.onerror = done;
        document.head.append(link);
    }));
