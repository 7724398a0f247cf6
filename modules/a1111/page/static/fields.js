// Fields, tabs and galleries of the page, by the names that A1111's page has for them.
"use strict";

function switch_to_txt2img() {
    document.getElementById("tab_txt2img-button")?.click();
    return Array.from(arguments);
}
function switch_to_img2img_tab(number) {
    document.getElementById("tab_img2img-button")?.click();
    const modes = ["img2img_img2img_tab", "img2img_img2img_sketch_tab", "img2img_inpaint_tab", "img2img_inpaint_sketch_tab"];
    const buttons = document.querySelectorAll("#mode_img2img [role=tablist] button");
    (document.getElementById(`${modes[number]}-button`) ?? buttons[number])?.click();
}
function switch_to_img2img() {
    switch_to_img2img_tab(0);
    return Array.from(arguments);
}
function switch_to_sketch() {
    switch_to_img2img_tab(1);
    return Array.from(arguments);
}
function switch_to_inpaint() {
    switch_to_img2img_tab(2);
    return Array.from(arguments);
}
function switch_to_inpaint_sketch() {
    switch_to_img2img_tab(3);
    return Array.from(arguments);
}
function switch_to_extras() {
    document.getElementById("tab_extras-button")?.click();
    return Array.from(arguments);
}

function get_tab_index(tabId) {
    const buttons = [...(document.getElementById(tabId)?.querySelector("[role=tablist]")?.querySelectorAll("button") ?? [])];
    return Math.max(0, buttons.findIndex((button) => button.getAttribute("aria-selected") === "true"));
}

function all_gallery_buttons() {
    const found = document.querySelectorAll("div[id$=_gallery] .thumbnail-item.thumbnail-small");
    return [...found].filter((one) => one.checkVisibility());
}
function selected_gallery_button() {
    return all_gallery_buttons().find((one) => one.classList.contains("selected")) ?? null;
}
function selected_gallery_index() {
    return all_gallery_buttons().findIndex((one) => one.classList.contains("selected"));
}
function gallery_container_buttons(container) {
    return document.querySelectorAll(`#${container} .thumbnail-item.thumbnail-small`);
}
function selected_gallery_index_id(container) {
    return [...gallery_container_buttons(container)].findIndex((one) => one.classList.contains("selected"));
}
function extract_image_from_gallery(gallery) {
    if (!gallery || gallery.length === 0) return [null];
    if (gallery.length === 1) return [gallery[0]];
    const index = selected_gallery_index();
    return [gallery[index < 0 || index >= gallery.length ? 0 : index]];
}

function setRandomSeed(id) {
    const input = document.querySelector(`#${id} input`);
    if (!input) return [];
    input.value = "-1";
    updateInput(input);
    return [];
}
function switchWidthHeight(tab) {
    const [width, height] = ["width", "height"].map((side) => document.querySelector(`#${tab}_${side} input[type=number]`));
    if (!width || !height) return [];
    [width.value, height.value] = [height.value, width.value];
    updateInput(width);
    updateInput(height);
    return [];
}

function inputAccordionChecked(id, checked) {
    const label = document.querySelector(`#${id} .label-wrap`);
    if (label && label.classList.contains("open") !== checked) label.click();
}

function confirm_clear_prompt() {
    return ["", ""];
}
