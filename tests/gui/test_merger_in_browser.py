"""The Checkpoint Merger as a person uses it: models are chosen, a job runs, the new file is offered everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.gui.merger_tab import metadata_of
from modules.terms.merging import ADD_DIFFERENCE, ExtractRequest, MergeRequest
from tests.gui.stand_in import StandIn

MODEL = "atelier-mini.safetensors [0123456789]"


@pytest.fixture
def merger(page, studio: StandIn):
    """The open tab; nothing was asked of the studio yet."""
    studio.merged.clear()
    page.click("#tab_modelmerger-button")
    page.wait_for_selector("#modelmerger_merge")
    return page


def choose(page, elem_id: str, name: str) -> None:
    page.click(f"#{elem_id} input")
    page.locator("ul[role=listbox] li", has_text=name).first.click()


def says(page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('#modelmerger_result').innerText.includes(text)", arg=text)


@pytest.mark.browser
def test_models_are_merged_and_the_new_one_is_offered(merger, studio: StandIn) -> None:
    for role in ("primary", "secondary", "tertiary"):
        choose(merger, f"modelmerger_{role}_model_name", "atelier-mini")
    merger.click("#modelmerger_interp_method label:has-text('Add difference')")
    merger.wait_for_function("document.querySelector('#modelmerger_interp_description').innerText.includes('(B - C)')")
    merger.fill("#modelmerger_custom_name textarea, #modelmerger_custom_name input", "blend")
    merger.click("#modelmerger_merge")
    says(merger, "Saved <blend>")
    merger.wait_for_function("document.querySelector('#html_log_modelmerger').innerText.includes('One note.')")
    asked = MergeRequest(primary=MODEL, secondary=MODEL, tertiary=MODEL, method=ADD_DIFFERENCE, custom_name="blend")
    assert studio.merged == [asked]
    merger.click("#modelmerger_primary_model_name input")
    merger.wait_for_selector("ul[role=listbox] li:has-text('blend.safetensors')")


@pytest.mark.browser
def test_a_lora_is_extracted(merger, studio: StandIn) -> None:
    merger.click("#extract_lora button")
    merger.wait_for_selector("#extract_lora_run", state="visible")
    for role in ("tuned", "base"):
        choose(merger, f"extract_lora_{role}", "atelier-mini")
    merger.fill("#extract_lora_custom_name textarea, #extract_lora_custom_name input", "gap")
    merger.click("#extract_lora_run")
    says(merger, "Saved <gap>")
    assert studio.merged == [ExtractRequest(tuned=MODEL, base=MODEL, custom_name="gap")]


@pytest.mark.browser
def test_what_is_missing_is_said(merger, studio: StandIn) -> None:
    merger.click("#modelmerger_merge")
    merger.wait_for_function("document.body.innerText.includes('needs a model A')")
    assert studio.merged == []


def test_metadata_of_the_chosen_models_are_read(studio: StandIn) -> None:
    for name, metadata in (("a", {"author": "A", "x": "1"}), ("b", {"author": "B"})):
        save_file({"w": torch.ones(1)}, Path(studio.models) / f"{name}.safetensors", metadata)
    studio.library.refresh()
    assert json.loads(metadata_of(studio, ("a", "b", None))) == {"author": "B", "x": "1"}
