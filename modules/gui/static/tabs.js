const TRIES = 100;
const PAUSE_MS = 50;

/** Opens a tab and, once `selector` stands there, does `act` with it. */
export function onTab(tab, selector, act, tries = TRIES) {
    if (tries === TRIES) document.getElementById(`tab_${tab}-button`)?.click();
    const found = document.querySelector(selector);
    if (found) act(found);
    else if (tries) setTimeout(onTab, PAUSE_MS, tab, selector, act, tries - 1);
}
