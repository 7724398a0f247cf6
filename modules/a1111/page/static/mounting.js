// Gradio puts the inside of a tab or an accordion into the page when it is first opened. Scripts of extensions look for
// it when the page is loaded, so the panes that they know are opened once, unseen, before those scripts hear of the page.
"use strict";

{
    const panesOfOurs = ["tab_img2img"];
    // The places for pictures in img2img, one in each mode.
    const modesOfOurs = ["img2img_sketch", "inpaint", "inpaint_sketch", "inpaint_upload"];
    const mountingDeadline = 4000;

    function nextFrame() {
        return new Promise((done) => setTimeout(done, 30));
    }

    async function waitFor(found, until) {
        while (!found() && Date.now() < until) await nextFrame();
    }

    /** Opens tab `id` and waits for its inside. */
    async function mountTab(id, until) {
        const button = document.getElementById(`${id}-button`);
        if (!button || button.getAttribute("aria-selected") === "true") return;
        button.click();
        await waitFor(() => document.getElementById(id)?.querySelector("[id], .block"), until);
    }

    async function mountModes(until) {
        const chosen = document.querySelector("#mode_img2img [role=tab][aria-selected=true]");
        for (const mode of modesOfOurs) await mountTab(`img2img_${mode}_tab`, until);
        chosen?.click();
    }

    /** Opens the accordions of extensions that are closed, and closes them again. */
    async function mountAccordions(until) {
        const closed = [...document.querySelectorAll(".of-extension > .label-wrap:not(.open)")];
        for (const line of closed) line.click();
        await waitFor(() => closed.every((line) => line.classList.contains("open")), until);
        await new Promise((done) => setTimeout(done, 150));
        for (const line of closed) if (line.classList.contains("open")) line.click();
    }

    /** The tabs to whose opening some function listens; those are left to the user. */
    function heardTabs() {
        const { components, dependencies } = window.gradio_config;
        const heard = new Set(dependencies.flatMap(({ targets }) => targets.filter(([, event]) => event === "select").map(([id]) => id)));
        return new Set(components.filter(({ id }) => heard.has(id)).map(({ id, props }) => String(props.id ?? id)));
    }

    /** Opens the tabs within elements of extensions, and those within them. */
    async function mountInside(selector) {
        const heard = heardTabs();
        const seen = new Set();
        const unseen = () => [...document.querySelectorAll(`:is(${selector}) [role=tablist]`)].find((list) => !seen.has(list));
        for (let list = unseen(); list; list = unseen()) {
            seen.add(list);
            const buttons = [...list.querySelectorAll(":scope > [role=tab]")];
            const chosen = buttons.find((button) => button.getAttribute("aria-selected") === "true");
            if (!chosen || heard.has(chosen.dataset.tabId)) continue;
            for (const button of buttons) {
                if (button === chosen || heard.has(button.dataset.tabId)) continue;
                button.click();
                await nextFrame();
            }
            chosen.click();
        }
    }

    async function mountPanes() {
        const until = Date.now() + mountingDeadline;
        const chosen = document.querySelector("#tabs > * [role=tab][aria-selected=true]");
        document.documentElement.classList.add("mounting");
        try {
            for (const id of panesOfOurs) await mountTab(id, until);
            await mountModes(until);
            for (const id of window.extensionTabs) {
                await mountTab(id, until);
                await mountInside(`#${CSS.escape(id)}`);
            }
            chosen?.click();
            await mountAccordions(until);
            await mountInside(".of-extension");
        } finally {
            document.documentElement.classList.remove("mounting");
        }
    }

    /** Scripts of extensions, one after the other. Those that wait for the document to be there are told at once. */
    async function loadExtensionScripts() {
        document.head.append(Object.assign(document.createElement("style"), { textContent: window.extensionStyle }));
        const listen = document.addEventListener;
        document.addEventListener = function (kind, callback, ...more) {
            if (kind !== "DOMContentLoaded") return listen.call(this, kind, callback, ...more);
            setTimeout(() => executeCallbacks([callback], new Event(kind)));
        };
        const loaded = window.extensionScripts.map(({ src, module }) => {
            const script = Object.assign(document.createElement("script"), { src, async: false, ...(module && { type: "module" }) });
            document.head.append(script);
            return new Promise((done) => (script.onload = script.onerror = done));
        });
        await Promise.all(loaded);
        await nextFrame();
    }

    window.atelierMounting = { panes: mountPanes, scripts: loadExtensionScripts };
}
