"""Values of the page become the request that they describe."""

from __future__ import annotations

import pytest

from modules.gui.request import to_request
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Hires, Refiner

FORM = {
    "prompt": "a boat",
    "negative_prompt": "",
    "styles": ["Woodcut"],
    "sampler": "Euler a",
    "scheduler": "Karras",
    "steps": 12.0,
    "width": 256.0,
    "height": 384,
    "n_iter": 2,
    "batch_size": 1,
    "cfg_scale": 6.5,
    "seed": 7.0,
    "extra": False,
    "subseed": 99,
    "subseed_strength": 0.4,
    "seed_resize_from_w": 64,
    "seed_resize_from_h": 64,
    "hires": False,
    "hires.upscaler": "Latent",
    "hires.scale": 1.5,
    "hires.steps": 5.0,
    "hires.checkpoint": "",
    "denoising_strength": 0.7,
    "refiner": False,
    "refiner.checkpoint": "other.safetensors",
    "refiner.switch_at": 0.8,
    "override_settings": [],
}


def test_parts_that_are_off_are_not_there() -> None:
    request = to_request(FORM)
    assert request == GenerationRequest(
        prompt="a boat",
        styles=("Woodcut",),
        sampler="Euler a",
        scheduler="Karras",
        steps=12,
        width=256,
        height=384,
        n_iter=2,
        cfg_scale=6.5,
        seed=7,
    )
    assert all(type(value) is int for value in (request.steps, request.width, request.seed))


def test_parts_that_are_on_are_as_filled_in() -> None:
    request = to_request({**FORM, "hires": True, "refiner": True, "extra": True}, {"CLIP_stop_at_last_layers": 2})
    assert request.hires == Hires(scale=1.5, steps=5, upscaler="Latent")
    assert request.denoising_strength == 0.7
    assert request.refiner == Refiner("other.safetensors", 0.8)
    assert (request.subseed, request.subseed_strength, request.seed_resize_from_w) == (99, 0.4, 64)
    assert request.settings == {"CLIP_stop_at_last_layers": 2}


def test_an_emptied_field_is_its_default() -> None:
    request = to_request({**FORM, "seed": None, "steps": None})
    assert (request.seed, request.steps) == (-1, 20)


def test_a_refiner_without_a_checkpoint_is_none() -> None:
    assert to_request({**FORM, "refiner": True, "refiner.checkpoint": ""}).refiner is None


def test_what_cannot_be_honoured_is_told() -> None:
    with pytest.raises(BadRequest, match="steps is 0"):
        to_request({**FORM, "steps": 0})
