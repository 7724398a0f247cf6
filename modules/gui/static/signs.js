// Small drawn signs for buttons that scripts make: 24 x 24, round strokes, in the colour of the text.
const PATHS = {
    up: "M12 19V6M6 11l6-6 6 6",
    down: "M12 5v13M6 13l6 6 6-6",
    close: "M6 6l12 12M18 6 6 18",
    retry: "M20 12a8 8 0 1 1-2.5-5.8M20 4v5h-5",
    form: "M5 4h9l5 5v11H5zM14 4v5h5M9 13h6M9 17h4",
    pause: "M8 5v14M16 5v14",
    play: "M7 5l12 7-12 7z",
    bin: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
    show: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
    grip: "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01",
    zoom: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21M10.5 8v5M8 10.5h5",
    tile: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
    save: "M12 4v11M7 10l5 5 5-5M5 20h14",
    live: "M3 12h4l3-7 4 14 3-7h4",
    info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v6M12 7.5h.01",
    compare: "M12 3v18M4 6h5v12H4M20 6h-5v12h5",
    back: "M15 5l-7 7 7 7",
    on: "M9 5l7 7-7 7",
    picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
    brush: "M20 4 10 14M8 14a3 3 0 0 0-3 3c0 2-1 3-2 3 2 1 7 1 7-3a3 3 0 0 0-2-3z",
    expand: "M4 10V4h6M20 14v6h-6M4 4l7 7M20 20l-7-7",
    forever: "M7 9a3 3 0 1 0 0 6c3 0 7-6 10-6a3 3 0 1 1 0 6c-3 0-7-6-10-6z",
    bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
    folder: "M3 6h6l2 2h10v11H3z",
};
const SVG = "http://www.w3.org/2000/svg";

/** The sign `name` as an element; it says nothing to a screen reader. */
export function sign(name) {
    const svg = document.createElementNS(SVG, "svg");
    for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: 18, height: 18, fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }))
        svg.setAttribute(key, value);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", PATHS[name]);
    svg.append(path);
    return svg;
}

/** A button that shows a sign; `words` are its hint and what is read out. */
export function signButton(name, words, work, className = "") {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `sign ${className}`;
    button.title = words;
    button.ariaLabel = words;
    button.append(sign(name));
    button.onclick = work;
    return button;
}
