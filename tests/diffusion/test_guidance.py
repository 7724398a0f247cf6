"""Guidance over a network whose answers say what it was told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from modules.diffusion.denoiser import Predictor, prediction_called
from modules.diffusion.guidance import Extra, GuidanceSettings, Guided
from modules.diffusion.inpainting import Inpainted
from modules.diffusion.levels import NoiseLevels

LEVELS = NoiseLevels.scaled_linear()


@dataclass(frozen=True, eq=False)
class Said:
    cross: Tensor
    vector: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Always:
    said: Said

    def at(self, call: int) -> Said:
        return self.said


@dataclass(frozen=True, eq=False)
class Switching:
    """Says `before` up to call `last`, `after` from then on."""

    before: Said
    after: Said
    last: int

    def at(self, call: int) -> Said:
        return self.before if call <= self.last else self.after


def says(value: float, tokens: int = 77, vector: float | None = None) -> Always:
    return Always(
        Said(torch.full((tokens, 8), float(value)), None if vector is None else torch.full((3,), float(vector)))
    )


@dataclass
class Echo:
    """A network that predicts its text's mean (plus a tenth of its extra channels) as the clean latent."""

    shapes: list[tuple[int, int]] = field(default_factory=list)
    vectors: list[Tensor | None] = field(default_factory=list)
    crosses: list[Tensor] = field(default_factory=list)

    def __call__(
        self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        assert len(x) == len(timestep) == len(cross)
        self.shapes.append((cross.shape[0], cross.shape[1]))
        self.vectors.append(vector)
        self.crosses.append(cross)
        level = cross.mean(dim=(1, 2))
        if extra is not None:
            assert len(extra) == len(x)
            level = level + 0.1 * extra.mean(dim=(1, 2, 3))
        return level.view(-1, 1, 1, 1).expand_as(x)


def guided(positive: list, negative: list, network: Echo, **settings: object) -> Guided:
    extra = settings.pop("extra", None)
    total = settings.pop("total", 10)
    empty, by_timestep = settings.pop("empty", None), settings.pop("by_timestep", False)
    return Guided(
        Predictor(network, prediction_called("x0"), LEVELS),
        positive,
        negative,
        GuidanceSettings(**settings),
        total,
        empty=empty,
        extra=extra,
        by_timestep=by_timestep,
    )


def asked(denoise: Guided, batch: int = 1, sigma: float = 2.0) -> list[float]:
    """The first value of every picture after one call."""
    return denoise(torch.zeros(batch, 4, 2, 2), torch.full((batch,), sigma))[:, 0, 0, 0].tolist()


def test_cfg_goes_beyond_the_prompt_away_from_the_negative() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)], [(says(1), 1.0)]], [says(2), says(0)], network, scale=7.0)
    assert asked(denoise, 2) == pytest.approx([2 + 7 * 1, 0 + 7 * 1])
    assert network.shapes == [(4, 77)]
    assert denoise.cond is not None and denoise.cond[:, 0, 0, 0].tolist() == [3, 1]
    assert denoise.uncond is not None and denoise.uncond[:, 0, 0, 0].tolist() == [2, 0]


def test_and_adds_every_parts_pull() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0), (says(5), -0.5)], [(says(4), 2.0)]], [says(1), says(1)], network, scale=2.0)
    assert asked(denoise, 2) == pytest.approx([1 + 2 * (2 * 1.0 + 4 * -0.5), 1 + 2 * (3 * 2.0)])
    assert network.shapes == [(5, 77)]
    assert denoise.cond is not None and denoise.cond[:, 0, 0, 0].tolist() == [3, 4]


def test_texts_of_other_length_run_apart() -> None:
    network = Echo()
    denoise = guided([[(says(3, 154), 1.0)]] * 2, [says(1)] * 2, network, scale=2.0)
    assert asked(denoise, 2) == pytest.approx([5, 5])
    assert network.shapes == [(2, 154), (2, 77)] and denoise.recorded == {}


def test_batching_can_be_turned_off() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]] * 2, [says(1)] * 2, network, scale=2.0, batch_negative=False)
    assert asked(denoise, 2) == pytest.approx([5, 5])
    assert network.shapes == [(2, 77), (2, 77)]


def test_padding_with_empty_prompts() -> None:
    network = Echo()
    denoise = guided([[(says(3, 154), 1.0)]], [says(1)], network, scale=1.0, pad="v1", empty=torch.full((77, 8), 9.0))
    asked(denoise)
    assert network.shapes == [(2, 154)] and denoise.recorded == {"Pad conds": True}
    assert denoise.uncond is not None and float(denoise.uncond[0, 0, 0, 0]) == pytest.approx((1 + 9) / 2)


@pytest.mark.parametrize(("tokens", "negative"), [(154, 77), (77, 154)])
def test_padding_of_old(tokens: int, negative: int) -> None:
    network = Echo()
    denoise = guided([[(says(3, tokens), 1.0)]], [says(1, negative)], network, scale=1.0, pad="v0")
    asked(denoise)
    assert network.shapes == [(2, tokens)] and denoise.recorded == {"Pad conds v0": True}


def test_shorter_texts_of_a_batch_repeat_their_last_vector() -> None:
    short = Always(Said(torch.cat([torch.zeros(76, 8), torch.ones(1, 8)])))
    network = Echo()
    denoise = guided([[(short, 1.0)], [(says(0, 154), 1.0)]], [says(0, 154)] * 2, network, scale=1.0)
    assert asked(denoise, 2)[0] == pytest.approx(78 / 154)


def test_prompts_are_asked_by_call_and_stacked_once() -> None:
    network = Echo()
    before, after = says(1).said, says(2).said
    denoise = guided([[(Switching(before, after, 1), 1.0)]], [says(0)], network, scale=1.0)
    assert [asked(denoise)[0] for _ in range(4)] == [1, 1, 2, 2]
    assert denoise.calls == 4
    assert network.crosses[0] is network.crosses[1] and network.crosses[2] is network.crosses[3]
    assert network.crosses[1] is not network.crosses[2]


def test_vectors_go_with_their_texts() -> None:
    network = Echo()
    asked(guided([[(says(3, vector=5), 1.0)]], [says(1, vector=6)], network, scale=2.0))
    assert network.vectors[0] is not None and network.vectors[0][:, 0].tolist() == [5, 6]


def calls_with_negative(denoise: Guided, network: Echo, sigmas: list[float]) -> list[bool]:
    for sigma in sigmas:
        asked(denoise, sigma=sigma)
    return [rows == 2 for rows, _ in network.shapes]


def test_ngms_leaves_out_the_negative_in_odd_calls_below_its_level() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, min_sigma=3.0)
    assert calls_with_negative(denoise, network, [9, 8, 2.9, 2.5, 2, 1]) == [True, True, True, False, True, False]
    assert denoise.recorded == {"NGMS": 3.0}
    assert asked(denoise, sigma=1)[0] != 3 and asked(denoise, sigma=1) == [3]


def test_ngms_of_all_steps() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, min_sigma=3.0, min_sigma_all=True)
    assert calls_with_negative(denoise, network, [9, 2.9, 2.5, 2]) == [True, False, False, False]
    assert denoise.recorded == {"NGMS": 3.0, "NGMS all steps": True}


def test_ngms_of_the_timestep_family_looks_at_the_timestep() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, min_sigma=3.0, min_sigma_all=True, by_timestep=True)
    x, sigma = torch.zeros(1, 4, 2, 2), torch.tensor([0.05])
    denoise(x, sigma, timestep=torch.tensor([51.0]))
    denoise(x, sigma, timestep=torch.tensor([1.0]))
    assert [rows for rows, _ in network.shapes] == [2, 1]


def test_skip_early_counts_calls_and_always_skips_the_first() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, skip_early=0.2, total=10)
    assert calls_with_negative(denoise, network, [9] * 5) == [False, False, False, True, True]
    assert denoise.recorded == {"Skip Early CFG": 0.2}


def test_nothing_is_recorded_that_did_not_happen() -> None:
    network = Echo()
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, min_sigma=0.5, pad="v1")
    calls_with_negative(denoise, network, [9, 8, 7])
    assert denoise.recorded == {}


def test_pix2pix_has_three_branches() -> None:
    network = Echo()
    extra = Extra(torch.full((1, 4, 2, 2), 10.0), none=torch.zeros(1, 4, 2, 2))
    denoise = guided([[(says(3), 1.0)]], [says(1)], network, scale=7.0, image_scale=1.5, extra=extra)
    text, picture, none = 3 + 1.0, 1 + 1.0, 1.0
    assert asked(denoise) == pytest.approx([none + 7 * (text - picture) + 1.5 * (picture - none)])
    assert network.shapes == [(3, 77)]


def test_extra_channels_follow_their_pictures() -> None:
    extra = Extra(torch.tensor([10.0, 20.0]).view(2, 1, 1, 1).expand(2, 5, 2, 2))
    positive = [[(says(0), 1.0), (says(0), 1.0)], [(says(0), 1.0)]]
    denoise = guided(positive, [says(0)] * 2, Echo(), scale=7.0, image_scale=1.5, extra=extra)
    assert asked(denoise, 2) == pytest.approx([1, 2])


@pytest.mark.parametrize("phi", [0.5, 1.0])
def test_rescaled_guidance_has_the_contrast_of_the_prompt(phi: float) -> None:
    class Contrast(Echo):
        def __call__(
            self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
        ) -> Tensor:
            pattern = torch.linspace(-1, 1, x[0].numel()).view_as(x[0])
            return pattern * cross.mean(dim=(1, 2)).view(-1, 1, 1, 1)

    def after(**settings: float) -> Tensor:
        denoise = guided([[(says(3), 1.0)]], [says(1)], Contrast(), scale=7.0, **settings)
        return denoise(torch.zeros(1, 4, 8, 8), torch.full((1,), 2.0))

    plain, rescaled = after(), after(rescale=phi)
    assert float(rescaled.std()) == pytest.approx(float(plain.std()) * (phi * 3 / 15 + 1 - phi), rel=1e-4)


def test_inpainting_keeps_the_source_after_the_call() -> None:
    inner = guided([[(says(3), 1.0)]], [says(1)], Echo(), scale=2.0)
    mask = torch.tensor([1.0, 0.25]).view(1, 1, 1, 2)
    painted = Inpainted(inner, torch.full((1, 4, 1, 2), -1.0), mask)
    result = painted(torch.zeros(1, 4, 1, 2), torch.full((1,), 2.0))
    assert result[0, 0, 0].tolist() == pytest.approx([5, 0.25 * 5 - 0.75])
    assert painted.uncond is not None and painted.uncond[0, 0, 0].tolist() == pytest.approx([1, 0.25 - 0.75])


def test_inpainting_before_the_call_leaves_the_networks_noise_as_it_is() -> None:
    seen: list[Tensor] = []

    def inner(x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        seen.append(x)
        return 0.5 * x

    source, mask, sigma = torch.full((1, 1, 1, 2), 3.0), torch.tensor([1.0, 0.0]).view(1, 1, 1, 2), torch.tensor([2.0])
    x = torch.full((1, 1, 1, 2), 4.0)
    result = Inpainted(inner, source, mask, before=True)(x, sigma)
    shown = torch.tensor([4.0, 3.0 * 5**0.5]).view(1, 1, 1, 2)
    torch.testing.assert_close(seen[0], shown)
    torch.testing.assert_close((x - result) / 2.0, (shown - 0.5 * shown) / 2.0)


def test_another_blend_can_be_given() -> None:
    def inner(x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        return x

    painted = Inpainted(
        inner, torch.zeros(1, 1, 1, 1), torch.ones(1), blend=lambda kept, shown, sigma: kept + shown * sigma
    )
    assert float(painted(torch.full((1, 1, 1, 1), 2.0), torch.tensor([3.0]))) == 6
