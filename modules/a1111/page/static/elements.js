// What scripts of extensions call as globals: finding elements and hearing of changes. Classic scripts, since theirs are.
"use strict";

function gradioApp() {
    const root = document.getElementsByTagName("gradio-app")[0] ?? document;
    if (root !== document) root.getElementById = (id) => document.getElementById(id);
    return root.shadowRoot ?? root;
}

// Gradio 3 had no element between the label and its field; selectors that say so are asked as today's page has it.
// Our own names stay inside of blocks and functions: a script that declares one of them again would not run at all.
for (const kind of [Document, Element]) {
    const oldPaths = /> *label *> *(textarea|input)/g;
    const asToday = (selector) => String(selector).replace(oldPaths, "label $1");
    const { querySelector, querySelectorAll } = kind.prototype;
    kind.prototype.querySelector = function (selector) {
        // Scripts that meet what they wait for ask once more with the element itself.
        if (selector instanceof Element) return this.contains(selector) ? selector : null;
        const found = querySelector.call(this, selector);
        return found || asToday(selector) === selector ? found : querySelector.call(this, asToday(selector));
    };
    kind.prototype.querySelectorAll = function (selector) {
        return querySelectorAll.call(this, asToday(selector));
    };
}

// Scripts empty a block by removing its children while they walk through them, which used to be two; now every other
// one would be left.
NodeList.prototype.forEach = function (callback, receiver) {
    Array.from(this).forEach((node, place) => callback.call(receiver, node, place, this));
};

// Hints of A1111's page: extensions add to them, or put others in their place.
var titles = {};
document.addEventListener("mouseover", ({ target }) => {
    const labelled = target.closest?.("span, button, legend, label, p");
    const text = labelled?.textContent.trim();
    if (labelled && !labelled.title && Object.hasOwn(titles, text)) labelled.title = titles[text];
});
const uiUpdateCallbacks = [];
const uiAfterUpdateCallbacks = [];
const uiLoadedCallbacks = [];
const uiTabChangeCallbacks = [];
const optionsChangedCallbacks = [];
const optionsAvailableCallbacks = [];
let uiCurrentTab = null;
let uiAfterUpdateTimeout = null;
let uiIsLoaded = false;

function onUiUpdate(callback) {
    uiUpdateCallbacks.push(callback);
}
/** 200 ms after the last of several changes. */
function onAfterUiUpdate(callback) {
    uiAfterUpdateCallbacks.push(callback);
}
function onUiLoaded(callback) {
    if (uiIsLoaded) executeCallbacks([callback]);
    else uiLoadedCallbacks.push(callback);
}
function onUiTabChange(callback) {
    uiTabChangeCallbacks.push(callback);
}
function onOptionsChanged(callback) {
    optionsChangedCallbacks.push(callback);
}
function onOptionsAvailable(callback) {
    if (uiIsLoaded) executeCallbacks([callback]);
    else optionsAvailableCallbacks.push(callback);
}

/** Calls all; one that fails says so in the console and the others go on. */
function executeCallbacks(queue, argument) {
    for (const callback of queue) {
        try {
            callback(argument);
        } catch (error) {
            console.error("error running callback", callback, ":", error);
        }
    }
}

function scheduleAfterUiUpdateCallbacks() {
    clearTimeout(uiAfterUpdateTimeout);
    uiAfterUpdateTimeout = setTimeout(() => executeCallbacks(uiAfterUpdateCallbacks), 200);
}

{
    // Classes of Gradio 3 on what stands in their place today.
    const oldClasses = [
        [".tab-container[role=tablist]", "tab-nav"],
        [".tabs", "gradio-tabs"],
    ];

    function nameAsBefore() {
        for (const [selector, name] of oldClasses)
            for (const one of document.querySelectorAll(`${selector}:not(.${name})`)) one.classList.add(name);
    }

    let uiIsMounting = false;

    /** Once the page stands, its panes are mounted; then everybody hears that it is loaded. */
    async function mountThenTell() {
        if (uiIsMounting || !document.body.dataset.draft || !document.querySelector("#txt2img_prompt textarea")) return;
        uiIsMounting = true;
        await window.atelierMounting.panes();
        await window.atelierMounting.scripts();
        uiIsLoaded = true;
        nameAsBefore();
        executeCallbacks(optionsAvailableCallbacks);
        executeCallbacks(optionsChangedCallbacks);
        executeCallbacks(uiLoadedCallbacks);
        // Whoever watches for changes looks at what is there already.
        document.body.append(document.createComment("loaded"));
    }

    document.addEventListener("DOMContentLoaded", () => {
        new MutationObserver((changes) => {
            nameAsBefore();
            if (!uiIsLoaded) return void mountThenTell();
            executeCallbacks(uiUpdateCallbacks, changes);
            scheduleAfterUiUpdateCallbacks();
            const tab = get_uiCurrentTab();
            if (tab && tab !== uiCurrentTab) {
                uiCurrentTab = tab;
                executeCallbacks(uiTabChangeCallbacks);
            }
        }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected", "data-draft"] });
    });
}

/** The settings have changed: `opts` is brought up to date and whoever wants to know is told. */
document.addEventListener("atelier:settings", async () => {
    const answer = await fetch("internal/a1111/options");
    if (!answer.ok) return;
    Object.assign(window.opts, await answer.json());
    executeCallbacks(optionsChangedCallbacks);
});

function uiElementIsVisible(element) {
    return Boolean(element) && (element === document || element.checkVisibility());
}

function uiElementInSight(element) {
    const box = element.getBoundingClientRect();
    return box.bottom > 0 && box.top < window.innerHeight;
}

function get_uiCurrentTab() {
    return document.querySelector("#tabs > * [role=tab][aria-selected=true]");
}

function get_uiCurrentTabContent() {
    return [...document.querySelectorAll("#tabs > .tabitem, #tabs > [role=tabpanel]")].find(uiElementIsVisible) ?? null;
}

/** Tells Gradio that a script has written into a field. */
function updateInput(target) {
    const event = new Event("input", { bubbles: true });
    Object.defineProperty(event, "target", { value: target });
    target.dispatchEvent(event);
}

function getTranslation(text) {
    return window.localization?.[text];
}

function args_to_array(args) {
    return Array.from(args);
}

function localSet(key, value) {
    try {
        localStorage.setItem(key, value);
    } catch (error) {
        console.warn(`Failed to save ${key} to localStorage: ${error}`);
    }
}
function localGet(key, fallback) {
    try {
        return localStorage.getItem(key) ?? fallback;
    } catch {
        return fallback;
    }
}
function localRemove(key) {
    try {
        localStorage.removeItem(key);
    } catch (error) {
        console.warn(`Failed to remove ${key} from localStorage: ${error}`);
    }
}
