"""A steered UNet does what diffusers' own pipeline computes; what asks for nothing changes no bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from modules.checkpoints.bundle import ModelBundle
from modules.control.load import load_control
from modules.control.network import Maps
from modules.control.steering import Influence, SteeredNetwork, Steerer
from modules.control.steering import steered as steered_answers
from modules.diffusion.denoiser import Predictor
from modules.diffusion.guidance import GuidanceSettings, Guided, Rows, Texts
from modules.diffusion.tiled import TiledNetwork, WindowPlan
from modules.diffusion.windows import Span, Window
from tests.control.conftest import Steered
from tests.control.written import normal, uniform

X, TIME, CROSS = normal(4, 4, 8, 16), torch.tensor([500.0, 400.0, 30.0, 2.0]), normal(4, 77, 32)
HINT = uniform(1, 3, 64, 128)
ROWS = Rows((0, 1, 0, 1), (True, True, False, False), Texts(CROSS, None), None)


def steerer(at: Steered, bundle: ModelBundle, name: str, **fields) -> Steerer:
    network = load_control(at.library.find(name), bundle)
    return Steerer(network, network.encode(fields.pop("hint", HINT)), **fields)


def answer(bundle: ModelBundle, *steerers: Steerer, rows: Rows = ROWS) -> Tensor:
    return SteeredNetwork(bundle, steerers, rows)(X, TIME, CROSS)


def maps_of(at: Steered, hint: Tensor = HINT) -> Maps:
    """What diffusers' ControlNet makes of it."""
    down, middle = at.controlnet(X, TIME, CROSS, hint, return_dict=False)
    return (*down, middle)


def by_diffusers(at: Steered, maps: Maps, within: Maps = ()) -> Tensor:
    """One call of diffusers' UNet with these maps, as its ControlNet pipeline makes it."""
    given = {"down_block_additional_residuals": maps[:-1], "mid_block_additional_residual": maps[-1]} if maps else {}
    given |= {"down_intrablock_additional_residuals": list(within)} if within else {}
    return at.tiny.unet(X, TIME, encoder_hidden_states=CROSS, return_dict=False, **given)[0]


def test_one_call_is_that_of_diffusers_pipeline(steered: Steered, bundle: ModelBundle) -> None:
    expected = by_diffusers(steered, tuple(0.7 * one for one in maps_of(steered)))
    assert (expected - bundle.predict(X, TIME, CROSS)).abs().max() > 1e-2, "the test must be able to fail"
    torch.testing.assert_close(
        answer(bundle, steerer(steered, bundle, "tiny_canny", weight=0.7)), expected, atol=1e-4, rtol=1e-4
    )


def test_an_adapter_is_that_of_diffusers_pipeline(steered: Steered, bundle: ModelBundle) -> None:
    expected = by_diffusers(steered, (), tuple(0.5 * one for one in steered.adapter(HINT)))
    assert (expected - bundle.predict(X, TIME, CROSS)).abs().max() > 1e-3
    found = answer(bundle, steerer(steered, bundle, "t2iadapter_tiny", weight=0.5))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_zero_outputs_change_no_bit(steered: Steered, bundle: ModelBundle) -> None:
    assert torch.equal(answer(bundle, steerer(steered, bundle, "tiny_zero")), bundle.predict(X, TIME, CROSS))


def test_units_add_up(steered: Steered, bundle: ModelBundle) -> None:
    other = uniform(1, 3, 64, 128, seed=5)
    one, two = steerer(steered, bundle, "tiny_canny", weight=0.5), steerer(steered, bundle, "tiny_canny", hint=other)
    adapter = steerer(steered, bundle, "t2iadapter_tiny")
    sums = tuple(0.5 * a + b for a, b in zip(maps_of(steered), maps_of(steered, other), strict=True))
    expected = by_diffusers(steered, sums, tuple(steered.adapter(HINT)))
    torch.testing.assert_close(answer(bundle, one, adapter, two), expected, atol=1e-4, rtol=1e-4)


def test_control_first_leaves_negative_prompts_alone(steered: Steered, bundle: ModelBundle) -> None:
    for name in ("tiny_canny", "t2iadapter_tiny"):
        found = answer(bundle, steerer(steered, bundle, name, prompts_only=True))
        everywhere = answer(bundle, steerer(steered, bundle, name))
        plain = bundle.predict(X, TIME, CROSS)
        torch.testing.assert_close(found[:2], everywhere[:2], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found[2:], plain[2:], atol=1e-5, rtol=1e-5)
        assert (everywhere[2:] - plain[2:]).abs().max() > 1e-3


def test_soft_weights_are_those_of_the_extension(steered: Steered, bundle: ModelBundle) -> None:
    soft = steerer(steered, bundle, "tiny_canny", weight=2.0, soft=True)
    assert soft.scales(13) == tuple(2.0 * 0.825 ** (12 - place) for place in range(13))
    maps = tuple(one * scale for one, scale in zip(maps_of(steered), soft.scales(9), strict=False))
    torch.testing.assert_close(answer(bundle, soft), by_diffusers(steered, maps), atol=1e-4, rtol=1e-4)
    adapter = steerer(steered, bundle, "t2iadapter_tiny", soft=True)
    assert adapter.scales(4) == (0.25, 0.62, 0.825, 1.0)


def test_weights_by_layer_replace_those_of_the_mode(steered: Steered, bundle: ModelBundle) -> None:
    one = steerer(steered, bundle, "tiny_canny", soft=True, layer_weights=(1.0, 0.0, 0.5))
    assert one.scales(5) == (1.0, 0.0, 0.5, 0.0, 0.0)


def test_pooled_maps_know_no_places(steered: Steered, bundle: ModelBundle) -> None:
    one = steerer(steered, bundle, "tiny_canny", pooled=True)
    residuals = one.residuals(ROWS, X, TIME, CROSS, None)
    assert residuals is not None
    assert all(map_.shape[-2:] == (1, 1) for map_ in (*residuals.across, residuals.middle))
    torch.testing.assert_close(answer(bundle, one)[2:], bundle.predict(X, TIME, CROSS)[2:], atol=1e-5, rtol=1e-5)


def test_a_region_confines_the_maps(steered: Steered, bundle: ModelBundle) -> None:
    region = torch.zeros(1, 1, 64, 128)
    region[..., :64] = 1
    residuals = steerer(steered, bundle, "tiny_canny", region=region).residuals(ROWS, X, TIME, CROSS, None)
    assert residuals is not None
    assert residuals.across[0][..., 9:].abs().max() == 0
    assert residuals.across[0][..., :7].abs().max() > 0


def test_pictures_of_a_batch_may_have_hints_of_their_own(steered: Steered, bundle: ModelBundle) -> None:
    hints = uniform(2, 3, 64, 128)
    expected = by_diffusers(steered, maps_of(steered, hints[[0, 1, 0, 1]]))
    torch.testing.assert_close(
        answer(bundle, steerer(steered, bundle, "tiny_canny", hint=hints)), expected, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("start", "end", "calls_per_step", "acting"),
    [
        (0.0, 1.0, 1, range(10)),
        (0.0, 0.0, 1, range(2)),  # the extension sees the step before, so that the first counts twice
        (0.5, 1.0, 1, range(6, 10)),
        (0.2, 0.5, 1, range(3, 7)),
        (0.0, 0.2, 2, range(5)),
    ],
)
def test_a_unit_acts_between_start_and_end(
    steered: Steered, bundle: ModelBundle, start: float, end: float, calls_per_step: int, acting: range
) -> None:
    one = Steerer(network=None, encoded=(), start=start, end=end)  # type: ignore[arg-type]
    predictor = bundle.predictor
    answering = steered_by(predictor, bundle, one, calls_per_step)
    assert [call for call in range(10) if answering(ROWS, call) is not predictor] == list(acting)


def steered_by(predictor: Predictor, bundle: ModelBundle, one: Steerer, calls_per_step: int):
    return steered_answers(predictor, bundle, Influence([one]), total_calls=10, calls_per_step=calls_per_step)


class Always:
    """A text that says the same at every call."""

    vector = None

    def __init__(self, cross: Tensor) -> None:
        self.cross = cross

    def at(self, call: int) -> Always:
        return self


@pytest.mark.parametrize("batch_negative", [True, False])
def test_guidance_tells_whose_rows_they_are(bundle: ModelBundle, batch_negative: bool) -> None:
    heard: list[Rows] = []

    def listening(rows: Rows, call: int) -> Predictor:
        heard.append(rows)
        return bundle.predictor

    texts = [Always(one) for one in CROSS]
    positive = [[(texts[0], 1.0), (texts[1], 0.5)], [(texts[2], 1.0)]]
    settings = GuidanceSettings(batch_negative=batch_negative)
    guided = Guided(bundle.predictor, positive, [texts[3]] * 2, settings, total=1, steered=listening)
    guided(X[:2], torch.tensor([3.0, 3.0]))
    told = [pair for rows in heard for pair in zip(rows.owners, rows.prompted, strict=True)]
    assert told == [(0, True), (0, True), (1, True), (0, False), (1, False)]


@pytest.mark.parametrize("name", ["tiny_canny", "t2iadapter_tiny"])
def test_what_shows_through_a_window_is_steered_by_its_part_of_the_hint(
    steered: Steered, bundle: ModelBundle, name: str
) -> None:
    hint = uniform(1, 3, 128, 128, seed=9)
    part = Window(Span(8, 16), Span(0, 8))
    through = steerer(steered, bundle, name, hint=hint).through(part, (16, 16))
    alone = steerer(steered, bundle, name, hint=hint[..., 64:, :64])
    assert [seen.shape for seen in through.encoded] == [own.shape for own in alone.encoded]
    # Far from the window's edge, beyond which the part alone sees nothing.
    torch.testing.assert_close(through.encoded[0][..., 6:, :2], alone.encoded[0][..., 6:, :2], atol=1e-5, rtol=1e-4)


def test_a_window_over_everything_changes_nothing(steered: Steered, bundle: ModelBundle) -> None:
    one = steerer(steered, bundle, "tiny_canny", region=torch.ones(1, 1, 64, 128))
    whole = replace(bundle.predictor, network=TiledNetwork(bundle.predict, WindowPlan(64, 8)))
    assert torch.equal(steered_by(whole, bundle, one, 1)(ROWS, 0).network(X, TIME, CROSS), answer(bundle, one))


def test_every_window_is_steered_by_its_own_part(steered: Steered, bundle: ModelBundle) -> None:
    one, other = steerer(steered, bundle, "tiny_canny"), steerer(steered, bundle, "tiny_canny", hint=1 - HINT)
    halves = replace(bundle.predictor, network=TiledNetwork(bundle.predict, WindowPlan(8, 0)))
    found = steered_by(halves, bundle, one, 1)(ROWS, 0).network(X, TIME, CROSS)
    for columns in (Span(0, 8), Span(8, 16)):
        part = Window(Span(0, 8), columns)
        alone = SteeredNetwork(bundle, [one.through(part, (8, 16))], ROWS)(part.of(X), TIME, CROSS)
        torch.testing.assert_close(part.of(found), alone, atol=1e-5, rtol=1e-4)
    assert (steered_by(halves, bundle, other, 1)(ROWS, 0).network(X, TIME, CROSS) - found).abs().max() > 1e-3
