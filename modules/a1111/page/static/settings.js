// Scripts of extensions read their settings from the fields of A1111's Settings tab, which stands from the start there.
// Ours is built when it is opened; until then, and behind it, these fields stand for it.
"use strict";

{
    const fields = {};

    const filled = () => {
        for (const [key, field] of Object.entries(fields)) {
            const value = window.opts[key];
            if (field.type === "checkbox") field.checked = Boolean(value);
            else field.value = value ?? "";
        }
    };

    document.addEventListener("DOMContentLoaded", () => {
        const place = document.createElement("div");
        place.hidden = true;
        for (const [key, kind] of Object.entries(window.extensionSettings)) {
            const row = document.createElement("div");
            row.id = `setting_${key}`;
            fields[key] = document.createElement(kind === "textarea" ? "textarea" : "input");
            if (kind === "checkbox") fields[key].type = "checkbox";
            row.append(fields[key]);
            place.append(row);
        }
        filled();
        // Last: whoever asks for an id is given the tab's own field once there is one.
        document.body.append(place);
        onOptionsChanged(filled);
    });
}
