"""Where noise comes from: the same numbers as the reference, picture by picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modules.diffusion.brownian import BrownianPath
from modules.diffusion.noise import ImageNoise, Variation, pasted_centre, slerp
from modules.diffusion.philox import PhiloxGenerator

SOURCES = ["CPU", "GPU", "NV"]


@pytest.mark.parametrize("source", ["CPU", "NV"])
def test_noise_of_the_reference(parity: Path, source: str) -> None:
    recorded = np.load(parity / "tensors" / "noise.npz")
    for case in json.loads((parity / "tensors" / "meta.json").read_text())["noise"]:
        variation = Variation(tuple(case["subseeds"]), case["strength"]) if "subseeds" in case else None
        noise = ImageNoise(
            tuple(case["shape"]),
            case["seeds"],
            source=source,
            variation=variation,
            resize_from=(case["rh"] // 8, case["rw"] // 8) if "rh" in case else None,
        )
        # Only the arc cosine of variation seeds may differ in its last digit between versions of torch.
        slack = 2e-6 if variation else 0
        for which, tensor in (("first", noise.first()), ("second", noise.next())):
            wanted = torch.from_numpy(recorded[f"{source}_{case['name']}_{which}"])
            torch.testing.assert_close(tensor, wanted, rtol=0, atol=slack)


def test_philox_gives_the_numbers_of_the_card() -> None:
    generator = PhiloxGenerator(0)
    first = generator.randn((3, 4))[0].tolist()
    assert first == pytest.approx([-0.92466241, -0.42534396, -2.6438458, 0.14518388], abs=1e-7)
    second = generator.randn((4,)).tolist()
    assert second == pytest.approx([0.18082589, -0.55226272, 0.92381340, -0.73497033], abs=1e-7)
    for seed, wanted in (
        (1234, [-1.6164904, 0.56845522, -0.51022458, -0.91133940]),
        (2**32 + 5, [-2.8427474, 1.3404924, 0.27223086, 1.4550629]),
    ):
        assert PhiloxGenerator(seed).randn((4,)).tolist() == pytest.approx(wanted, abs=1e-6)


def test_philox_is_normal_and_takes_any_seed() -> None:
    numbers = PhiloxGenerator(-1).randn((200, 500))
    assert float(numbers.mean()) == pytest.approx(0, abs=0.02) and float(numbers.std()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("source", SOURCES)
def test_a_pictures_noise_does_not_depend_on_the_batch(source: str) -> None:
    settings = {"source": source, "variation": Variation((5, 6, 7), 0.3), "resize_from": (12, 10), "eta_seed_delta": 9}
    together = ImageNoise((4, 8, 8), [1, 2, 3], **settings)
    alone = ImageNoise((4, 8, 8), [2], **{**settings, "variation": Variation((6,), 0.3)})
    assert torch.equal(together.first()[1:2], alone.first())
    for _ in range(3):
        assert torch.equal(together.next()[1:2], alone.next())


def test_the_global_stream_is_left_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.randn(3)
    torch.manual_seed(0)
    noise = ImageNoise((4, 8, 8), [1], variation=Variation((2,), 0.5), resize_from=(4, 4))
    noise.first(), noise.next(), noise.brownian(0.03, 14.6)(2.0, 1.0)
    assert torch.equal(torch.randn(3), wanted)


def test_ensd_changes_all_noise_but_the_first() -> None:
    plain, shifted = ImageNoise((4, 8, 8), [1]), ImageNoise((4, 8, 8), [1], eta_seed_delta=31337)
    assert torch.equal(plain.first(), shifted.first())
    assert torch.equal(shifted.next(), ImageNoise((4, 8, 8), [1 + 31337]).first())


def test_slerp_ends() -> None:
    low, high = ImageNoise((4, 8, 8), [1, 2]).first()
    torch.testing.assert_close(slerp(0.0, low, high), low)
    torch.testing.assert_close(slerp(1.0, low, high), high, rtol=1e-4, atol=1e-4)
    # Nearly parallel noises are mixed with their weights the wrong way round, as in A1111.
    torch.testing.assert_close(slerp(0.25, low, 2 * low), 0.25 * low + 0.75 * 2 * low)


@pytest.mark.parametrize("size", [(4, 6), (12, 16), (7, 9), (8, 8)])
def test_pasted_noise_lies_in_the_centre(size: tuple[int, int]) -> None:
    small, onto = torch.ones(2, *size), torch.zeros(2, 8, 10)
    pasted = pasted_centre(small, onto)
    assert float(pasted[:, 3:5, 4:6].min()) == 1
    assert int(pasted[0].sum()) == min(size[0], 8) * min(size[1], 10)
    assert float(onto.sum()) == 0


def normal(seed: int) -> torch.Tensor:
    return torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(seed))


def test_a_path_adds_up_whatever_is_asked_first() -> None:
    levels = [14.6146, 7.3, 2.123456, 0.5, 0.03]
    down = BrownianPath(0.03, 14.6146, 7, normal)
    rises = [down(low, high) for high, low in zip(levels, levels[1:], strict=False)]
    up = BrownianPath(0.03, 14.6146, 7, normal)
    torch.testing.assert_close(up(0.03, 14.6146), sum(rises), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(up(2.123456, 7.3), rises[1], rtol=0, atol=0)


def test_levels_closer_than_the_tolerance_are_one() -> None:
    path = BrownianPath(0.03, 14.6146, 7, normal)
    assert float(path(2.0, 2.0 + 1e-9).abs().max()) == 0
    noise = ImageNoise((4, 8, 8), [7]).brownian(0.03, 14.6146)
    assert torch.isfinite(noise(2.0, 2.0)).all()


def test_brownian_noise_has_unit_variance_and_is_antisymmetric() -> None:
    noise = ImageNoise((4, 64, 64), [1]).brownian(0.03, 14.6146)
    step = noise(3.0, 1.5)
    assert float(step.std()) == pytest.approx(1, abs=0.03)
    torch.testing.assert_close(noise(1.5, 3.0), -step)


@pytest.mark.parametrize("seed", [0, 7, 123456789012])
def test_paths_are_those_of_torchsde(seed: int) -> None:
    torchsde = pytest.importorskip("torchsde")
    low, high = 0.0291675, 14.6146421
    theirs = torchsde.BrownianTree(low, torch.zeros(4, 8, 8), high, entropy=seed)
    mine = BrownianPath(low, high, seed, normal)
    levels = torch.linspace(3.8, -3.4, 17).mul(0.7).exp().clamp(0.04, 14.0).tolist()
    for first, second in zip(levels, levels[1:], strict=False):
        assert torch.equal(mine(second, first), theirs(second, first))


def test_a_shared_path_gives_every_picture_other_noise() -> None:
    noise = ImageNoise((4, 8, 8), [1, 2])
    together, alone = noise.brownian(0.03, 14.6, shared=True)(3.0, 2.0), noise.brownian(0.03, 14.6)(3.0, 2.0)
    assert together.shape == alone.shape == (2, 4, 8, 8)
    assert not torch.allclose(together[0], together[1]) and not torch.allclose(together, alone)
    assert torch.equal(ImageNoise((4, 8, 8), [7, 2]).brownian(0.03, 14.6, shared=True)(3.0, 2.0), together)
