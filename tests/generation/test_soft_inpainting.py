"""Soft inpainting: how original and new are mixed, and where the result shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.generation import GenerationRequest, Mask, Source, Tools, generate
from modules.generation.always_on import SoftInpainting, asked, check_scripts, rows
from modules.generation.soft_inpainting import blend_by, difference_masks, mean_of_ranks, mixed, neighbourhood
from modules.terms.errors import BadRequest

A, B = torch.randn(2, 1, 4, 6, 6, generator=torch.Generator().manual_seed(1)).unbind(0)


@pytest.mark.parametrize("boost", [1.0, 4.0, 32.0])
def test_the_ends_are_the_original_and_the_new(boost: float) -> None:
    assert torch.allclose(mixed(A, B, torch.zeros(1, 1, 6, 6), boost), A, atol=1e-3)
    assert torch.allclose(mixed(A, B, torch.ones(1, 1, 6, 6), boost), B, atol=1e-3)


@given(st.floats(0, 1), st.sampled_from([1.0, 4.0, 16.0]))
def test_vectors_keep_a_length_between_the_two(share: float, boost: float) -> None:
    lengths = mixed(A, B, torch.full((1, 1, 6, 6), share), boost).norm(dim=1)
    low, high = torch.stack([A.norm(dim=1), B.norm(dim=1)]).aminmax(dim=0)
    assert (lengths >= low * 0.99).all()
    assert (lengths <= high * 1.01).all()


def test_the_lower_the_noise_the_more_a_grey_mask_lets_through() -> None:
    """x^0 = 1: at the end of the drawing, all that is not black is new."""
    blend = blend_by(SoftInpainting(True), torch.full((1, 1, 6, 6), 0.5))
    zero, one = torch.zeros_like(A), torch.ones_like(A)
    shares = [float(blend(zero, one, torch.tensor([sigma])).norm(dim=1).mean()) / 2 for sigma in (14.0, 2.0, 0.03)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.98


def test_black_stays_and_white_is_new_at_every_level() -> None:
    paint = torch.tensor([0.0, 1.0]).repeat(3).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    blended = blend_by(SoftInpainting(True), paint)(A, B, torch.tensor([3.0]))
    assert torch.allclose(blended[..., ::2], A[..., ::2], atol=1e-3)
    assert torch.allclose(blended[..., 1::2], B[..., 1::2], atol=1e-3)


def test_ranks_of_a_flat_field_are_flat() -> None:
    flat = np.full((7, 5), 3.0)
    assert np.allclose(mean_of_ranks(flat, 0.9, 1.0), 3.0)
    assert neighbourhood()[2, 2] == 1
    assert neighbourhood().min() > 0


def test_the_largest_differences_spread_and_the_middle_forgets_one() -> None:
    dot = np.zeros((9, 9))
    dot[4, 4] = 1.0
    assert mean_of_ranks(dot, 0.9, 1.0)[4, 4] == pytest.approx(1.0)
    assert mean_of_ranks(dot, 0.9, 1.0)[4, 5] > mean_of_ranks(dot, 0.25, 0.75)[4, 5]
    assert mean_of_ranks(dot, 0.25, 0.75)[4, 5] == pytest.approx(0.0)


def test_the_result_shows_where_it_differs() -> None:
    before = torch.zeros(1, 4, 16, 16)
    after = before.clone()
    after[..., 4:12, 4:12] = 2.0
    (mask,) = difference_masks(SoftInpainting(True), before, after, torch.ones(1, 1, 16, 16), (128, 128))
    shown = np.asarray(mask)
    assert shown.shape == (128, 128)
    assert shown[64, 64] > 250
    assert shown[2, 2] == 0


def test_what_did_not_change_does_not_show() -> None:
    same = torch.randn(2, 4, 8, 8)
    for mask in difference_masks(SoftInpainting(True), same, same, torch.ones(1, 1, 8, 8), (64, 64)):
        assert mask.getextrema() == (0, 0)


@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_it_draws_and_is_written_down(tools: Tools, sampler: str, only_masked: bool) -> None:
    picture = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    mask = Mask(Image.radial_gradient("L").resize((64, 64)), only_masked=only_masked, invert=True)
    request = GenerationRequest(
        prompt="a house", steps=3, seed=3, width=64, height=64, sampler=sampler, denoising_strength=0.9
    ).with_(source=Source((picture,), mask=mask), scripts={"Soft Inpainting": (True, 1, 0.25)})
    soft = generate(request, tools)
    hard = generate(request.with_(scripts={}), tools)
    off = generate(request.with_(scripts={"Soft Inpainting": (False,)}), tools)
    assert soft.images[0].image.tobytes() != hard.images[0].image.tobytes()
    assert off.images[0].image.tobytes() == hard.images[0].image.tobytes()
    assert "Soft inpainting enabled: True, Soft inpainting schedule bias: 1, " in soft.images[0].infotext
    assert "Soft inpainting preservation strength: 0.25, " in soft.images[0].infotext
    assert "Soft inpainting" not in off.images[0].infotext


def test_its_arguments_are_listed() -> None:
    (row,) = [one for one in rows() if one["name"] == "Soft Inpainting"]
    assert row["is_alwayson"] and row["is_img2img"]
    assert [argument["value"] for argument in row["args"]] == [False, 1, 0.5, 4, 0, 0.5, 2]
    assert row["args"][1] == {
        "label": "Schedule bias",
        "value": 1,
        "minimum": 0,
        "maximum": 8,
        "step": 0.1,
        "choices": None,
    }


def test_arguments_that_make_no_sense_are_named() -> None:
    with pytest.raises(BadRequest, match="Preservation strength"):
        check_scripts({"Soft Inpainting": (True, 1, "much")})
    check_scripts({"Soft Inpainting": (True, 1, 0.5, 4, 0, 0.5, 2, "more than there are"), "another": ("x",)})
    request = GenerationRequest(scripts={"Soft Inpainting": (1, 2.5)})
    assert asked(request, SoftInpainting) == SoftInpainting(True, 2.5)
    assert asked(GenerationRequest(), SoftInpainting) is None
