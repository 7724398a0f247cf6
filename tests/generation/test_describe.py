"""The text that is written is that of A1111, entry by entry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from modules.generation.describe import describe
from modules.generation.infotext import quote, unquote, write
from modules.settings.store import Settings
from modules.terms.declare import params_of
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source


@dataclass(frozen=True)
class Picture:
    """One picture's prompts and seeds."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 1
    subseed: int = 0
    hires_prompt: str = ""
    hires_negative_prompt: str = ""


DOT = Image.new("L", (8, 8))
AS_RECORDED = Settings().with_flat({"randn_source": "CPU", "sd_vae": "None"})


def part(owner: type, request: dict[str, Any], **more: Any) -> Any:
    """An `owner` filled from JSON; numbers become float where A1111's schema has float."""
    values = dict(more)
    for name, declared in params_of(owner).items():
        if request.get(declared.key) is not None:
            value = request[declared.key]
            values[name] = float(value) if isinstance(declared.default, float) else value
    return owner(**values)


def from_json(body: dict[str, Any]) -> GenerationRequest:
    """The request of a recorded call. What A1111's API has as default, ours may not."""
    hires = part(Hires, body) if body.get("enable_hr") else None
    refiner = part(Refiner, body) if body.get("refiner_checkpoint") else None
    source = None
    if body.get("init_images"):
        mask = None
        if body.get("mask"):
            body = {"inpainting_fill": 0, "inpaint_full_res": True, "inpaint_full_res_padding": 0, **body}
            blur = body.get("mask_blur", 4)
            mask = part(Mask, body, image=DOT, blur_x=blur, blur_y=blur)
        source = part(Source, body, images=(DOT,), mask=mask)
    return part(GenerationRequest, body, hires=hires, refiner=refiner, source=source)


def recorded(parity: Path) -> list[dict[str, Any]]:
    files = sorted((parity / "cases").glob("*/*.json"))
    cases = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return [case for case in cases if case.get("info", {}).get("infotexts")]


def test_every_recorded_text_is_written_letter_by_letter(parity: Path) -> None:
    checked = 0
    for case in recorded(parity):
        if case["group"] in ("infotext_api", "scripts", "sampler_alias"):
            continue  # there the request is not what was drawn
        body, info = case["request"], case["info"]
        request = from_json(body)
        overrides = {key: value for key, value in body["override_settings"].items() if key in AS_RECORDED}
        settings = AS_RECORDED.with_flat(overrides)
        # A grid comes before the pictures, masks after them.
        texts = info["infotexts"][info["index_of_first_image"] :][: len(info["all_seeds"])]
        for index, theirs in enumerate(texts):
            ours = describe(
                request,
                Picture(
                    info["all_prompts"][index],
                    info["all_negative_prompts"][index],
                    info["all_seeds"][index],
                    info["all_subseeds"][index],
                    body.get("hr_prompt") or info["all_prompts"][index],
                    body.get("hr_negative_prompt") or info["all_negative_prompts"][index],
                ),
                settings,
                model={
                    "name": info["sd_model_name"],
                    "hash": info["sd_model_hash"],
                    "vae_name": info["sd_vae_name"],
                    "vae_hash": info["sd_vae_hash"],
                },
                extra=found_while_drawing(info["extra_generation_params"], theirs) | nothing_to_crop(case["name"]),
                scripts=soft_inpainting(info["extra_generation_params"]),
                index=index,
                version="v1.10.1",
            )
            assert ours == theirs, case["name"]
            checked += 1
    assert checked > 250


def found_while_drawing(extra: dict[str, Any], text: str) -> dict[str, Any]:
    """What a run adds; the rest of A1111's extra entries must come from the request."""
    ours = {"Denoising strength", "Noise multiplier", "Mask mode", "Mask blur", "Inpaint area", "Masked content"}
    hires = {"Hires prompt", "Hires negative prompt", "Hires sampler", "Hires upscale", "Hires resize", "Hires steps"}
    left_out = ours | hires | {"Masked area padding", "Hires upscaler"} | set(soft_inpainting(extra))
    # ENSD is written if the sampler adds noise, which only the run knows.
    ensd = {} if "ENSD: " in text else {"ENSD": None}
    return {key: value for key, value in extra.items() if key not in left_out} | ensd


def nothing_to_crop(name: str) -> dict[str, None]:
    """With an empty mask the whole picture is drawn, whatever was asked."""
    return {"Inpaint area": None, "Masked area padding": None} if name == "empty_mask" else {}


def soft_inpainting(extra: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if key.startswith("Soft inpainting")}


@pytest.mark.parametrize("text", ["a, b", "a: b", "two\nlines", '"quoted"', " blanks ", "日本, 語", '\\ and, "'])
def test_values_that_could_be_misread_are_quoted(text: str) -> None:
    assert quote(text).startswith('"')
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("value", ["plain", 7, 7.0, True, "parity-sd1 [5c8f6971b2]", 'a "b" c'])
def test_other_values_are_not_quoted(value: object) -> None:
    assert quote(value) == str(value)


def test_numbers_are_written_as_they_were_given() -> None:
    settings = Settings()
    request = GenerationRequest(seed=1)
    assert "CFG scale: 7.0," in describe(request, Picture(), settings)
    assert "CFG scale: 7," in describe(request.with_(cfg_scale=7), Picture(), settings)


def test_entries_of_none_are_left_out_and_bare_keys_stay_bare() -> None:
    assert write("p", "", {"A1": None, "B1": "B1", "C1": ""}) == "p\nB1, C1:"


def test_lists_hold_one_value_per_picture() -> None:
    texts = [
        describe(GenerationRequest(), Picture(), Settings(), extra={"Layout": ["left", "right"]}, index=index)
        for index in (0, 1)
    ]
    assert "Layout: left" in texts[0]
    assert "Layout: right" in texts[1]


def test_an_entry_found_while_drawing_keeps_the_place_of_the_asked_one() -> None:
    text = describe(GenerationRequest(sampler="DPM++ 2M"), Picture(), Settings(), extra={"Schedule type": "Karras"})
    assert "Sampler: DPM++ 2M, Schedule type: Karras, CFG scale" in text


def test_settings_say_what_is_left_out() -> None:
    model = {"name": "m", "hash": "0123456789", "vae_name": "v", "vae_hash": "9876543210"}
    every = describe(GenerationRequest(), Picture(), Settings(), model=model, version="atelier-1", user="me")
    assert "Model hash: 0123456789, Model: m, VAE hash: 9876543210, VAE: v" in every
    assert every.endswith("Version: atelier-1")
    quiet = Settings().with_flat(
        {
            "add_model_name_to_info": False,
            "add_model_hash_to_info": False,
            "add_vae_name_to_info": False,
            "add_vae_hash_to_info": False,
            "add_version_to_infotext": False,
            "add_user_name_to_info": True,
        }
    )
    text = describe(GenerationRequest(), Picture(), quiet, model=model, version="atelier-1", user="me")
    assert not any(key in text for key in ("Model", "VAE", "Version"))
    assert text.endswith("User: me")
