"""Pictures that lend their look: shared attention and statistics are what they are by hand, and steer whole jobs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from modules.checkpoints.bundle import ModelBundle
from modules.control.reference import Reference, exchanging, places_of
from modules.control.retouch import Kept, Recoloured, blurred
from modules.control.steering import SteeredNetwork
from modules.diffusion.guidance import Rows, Texts
from modules.diffusion.windows import Span, Window
from modules.generation import GenerationRequest, Hires, Tools, generate
from modules.terms.control import CONTROL_FIRST, PROMPT_FIRST, ControlUnit
from tests.control.written import normal

X, TIME, CROSS = normal(4, 4, 8, 16), torch.tensor([500.0, 400.0, 500.0, 400.0]), normal(4, 77, 32)
ROWS = Rows((0, 1, 0, 1), (True, True, False, False), Texts(CROSS, None), None)
SMALL = GenerationRequest(prompt="a house", negative_prompt="blue", steps=4, seed=7, subseed=1, width=96, height=64)


def reference(bundle: ModelBundle, **fields) -> Reference:
    return Reference(normal(1, 4, 8, 16, seed=3), places_of(bundle), **fields)


@torch.no_grad()
def answer(bundle: ModelBundle, *references: Reference, rows: Rows = ROWS, x: Tensor = X) -> Tensor:
    return SteeredNetwork(bundle, (), rows, references)(x, TIME[: len(x)], CROSS[: len(x)])


def test_places_are_those_of_the_extension(bundle: ModelBundle) -> None:
    places = places_of(bundle)
    widths = [module.to_q.in_features for module, _ in places.attention]
    assert widths == sorted(widths, reverse=True)
    assert [rank for _, rank in places.attention] == [at / len(widths) for at in range(len(widths))]
    assert places.statistics[0] == (bundle.unet.mid_block, 0.0)
    ranks = [rank for _, rank in places.statistics]
    assert max(ranks) <= 2.0
    assert ranks[1] == 2.0, "the first block below the finest level is the last to be used"


@torch.no_grad()
def test_shared_attention_sees_both_pictures(bundle: ModelBundle) -> None:
    """One attention, by hand: keys and values of both pictures, queries of one."""
    one = reference(bundle, fidelity=0.0)
    module, rank = one.places.attention[0]
    width = module.to_q.in_features
    lent, own = normal(4, 6, width, seed=8), normal(4, 6, width, seed=9)
    plain = module(own)
    with exchanging(one.places, ROWS) as exchange:
        exchange.giver = one
        assert torch.equal(module(lent), module(lent))
        exchange._tokens[module].pop()
        exchange.giver = None
        shared = module(own)
    expected = module.forward(own, encoder_hidden_states=torch.cat([own, lent], dim=1))
    torch.testing.assert_close(shared, expected)
    assert not torch.allclose(shared, plain)
    assert torch.equal(module(own), plain), "nothing stays behind"
    assert rank == 0


@torch.no_grad()
def test_shared_statistics_are_the_pictures(bundle: ModelBundle) -> None:
    one = reference(bundle, fidelity=0.0, attention=False, statistics=True)
    outputs = {}
    block = bundle.unet.mid_block
    with exchanging(one.places, ROWS) as exchange:
        hook = block.register_forward_hook(lambda module, args, output: outputs.setdefault(len(outputs), output))
        exchange.giver = one
        bundle.predict(normal(4, 4, 32, 32, seed=5), TIME, CROSS)
        exchange.giver = None
        bundle.predict(normal(4, 4, 32, 32, seed=6), TIME, CROSS)
        hook.remove()
    for moment in (torch.mean, torch.std):
        lent, changed = (moment(outputs[place], dim=(2, 3)) for place in (0, 1))
        torch.testing.assert_close(changed, lent, atol=1e-3, rtol=1e-3)


def test_full_fidelity_leaves_negative_prompts_alone(bundle: ModelBundle) -> None:
    plain = answer(bundle)
    for fields in ({}, {"attention": False, "statistics": True}, {"statistics": True}):
        faithful = answer(bundle, reference(bundle, fidelity=1.0, **fields))
        torch.testing.assert_close(faithful[2:], plain[2:], atol=1e-5, rtol=1e-4)
        assert (faithful[:2] - plain[:2]).abs().max() > 1e-4
        free = answer(bundle, reference(bundle, fidelity=0.0, **fields))
        torch.testing.assert_close(free[:2], faithful[:2], atol=1e-5, rtol=1e-4)
        assert (free[2:] - plain[2:]).abs().max() > 1e-4


def test_weight_zero_lends_nothing(bundle: ModelBundle) -> None:
    torch.testing.assert_close(answer(bundle, reference(bundle, weight=0.0)), answer(bundle))


def test_two_references_add_up(bundle: ModelBundle) -> None:
    both = answer(bundle, reference(bundle), reference(bundle, attention=False, statistics=True))
    torch.testing.assert_close(both, answer(bundle, reference(bundle, statistics=True)))


def test_windows_show_their_part_of_the_reference(bundle: ModelBundle) -> None:
    half = Window(Span(0, 8), Span(8, 16))
    network = SteeredNetwork(bundle, (), ROWS, [reference(bundle)]).through(half, (8, 16))
    assert torch.equal(network.references[0].latents, normal(1, 4, 8, 16, seed=3)[..., 8:])
    with torch.no_grad():
        assert network(half.of(X), TIME, CROSS).shape == (4, 4, 8, 8)


def test_kept_latents_stay_outside_the_paint() -> None:
    paint = torch.zeros(1, 1, 8, 16)
    paint[..., 8:] = 1
    kept = Kept(normal(1, 4, 8, 16, seed=2), paint)
    assert torch.equal(kept(X, ROWS)[..., :8], kept.latents.expand(4, -1, -1, -1)[..., :8])
    assert torch.equal(kept(X, ROWS)[..., 8:], X[..., 8:])
    half = replace(kept, strength=0.5)(X, ROWS)
    torch.testing.assert_close(half, (kept(X, ROWS) + X) / 2)


def test_recoloured_latents_have_the_colours_of_the_picture() -> None:
    recoloured = Recoloured(normal(1, 4, 8, 16, seed=2), radius=3)
    found = recoloured(X, ROWS)
    torch.testing.assert_close(found - X, (blurred(recoloured.latents, 3) - blurred(X, 3)))
    sharper = replace(recoloured, sharpness=2.0)(X, ROWS)
    assert torch.equal(sharper[:2], found[:2])
    assert not torch.equal(sharper[2:], found[2:])


# Whole jobs


def drawn(tools: Tools, *units: ControlUnit, **changes) -> np.ndarray:
    image = generate(SMALL.with_(controls=units, **changes), tools).images[0].image
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("module", ["reference_only", "reference_adain", "reference_adain+attn"])
def test_a_reference_needs_no_model(tools: Tools, drawing: Image.Image, module: str) -> None:
    unit = ControlUnit(module=module, image=drawing)
    plain, lent = drawn(tools), drawn(tools, unit)
    assert (plain != lent).any()
    assert (lent == drawn(tools, unit)).all()
    for other in (
        replace(unit, threshold_a=0.9),
        replace(unit, guidance_end=0.3),
        replace(unit, control_mode=CONTROL_FIRST),
        replace(unit, control_mode=PROMPT_FIRST),
        replace(unit, image=drawing.transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
    ):
        assert (drawn(tools, other) != lent).any(), other


def test_a_reference_does_not_depend_on_the_batch(tools: Tools, drawing: Image.Image) -> None:
    unit = ControlUnit(module="reference_adain+attn", image=drawing)
    together = generate(SMALL.with_(controls=(unit,), batch_size=2), tools).images[1].image
    assert np.abs(np.asarray(together).astype(int) - drawn(tools, unit, seed=8)).max() <= 1


def test_a_reference_acts_beside_networks_in_both_passes_and_with_merged_tokens(
    tools: Tools, drawing: Image.Image
) -> None:
    units = ControlUnit(module="reference_only", image=drawing), ControlUnit(model="tiny_canny", image=drawing)
    hires = {"hires": Hires(scale=1.5, steps=2), "denoising_strength": 0.6}
    found = [drawn(tools, *units, **hires), drawn(tools, units[1], **hires), drawn(tools, units[0], **hires)]
    assert (found[0] != found[1]).any()
    assert (found[0] != found[2]).any()
    merged = {"settings": {"token_merging_ratio": 0.5}}
    assert (drawn(tools, units[0], **merged) != drawn(tools, **merged)).any()


def test_inpaint_only_draws_for_what_lies_around(tools: Tools, drawing: Image.Image) -> None:
    mask = Image.new("L", drawing.size)
    ImageDraw.Draw(mask).rectangle((60, 0, 95, 63), fill=255)
    unit = ControlUnit(module="inpaint_only", model="tiny_zero", image=drawing, mask=mask)
    found, free = drawn(tools, unit), drawn(tools, replace(unit, module="inpaint"))
    assert (found[:, :52] == np.asarray(drawing).astype(int)[:, :52]).all()
    assert (found[:, 80:] != free[:, 80:]).any(), "the latents around were the picture's while it was drawn"


def test_colour_fix_brings_the_colours_of_the_picture(tools: Tools) -> None:
    red = Image.new("RGB", (96, 64), (200, 30, 30))
    unit = ControlUnit(module="tile_colorfix", model="tiny_zero", image=red)
    plain, fixed, sharp = drawn(tools), drawn(tools, unit), drawn(tools, replace(unit, module="tile_colorfix+sharp"))
    small = drawn(tools, replace(unit, weight=0.3))
    assert (fixed != plain).any()
    assert (sharp != fixed).any()
    assert np.abs(small - plain).mean() < np.abs(fixed - plain).mean()
