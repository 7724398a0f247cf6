"""How often a network goes over a picture, and which size comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.enhance.upscaler import Upscaler, Work, simple_upscalers
from modules.terms.errors import Interrupted


def counting(factor: float) -> tuple[Upscaler, list[tuple[int, int]]]:
    """An upscaler that repeats pixels `factor` times per pass, in four parts, and the sizes it was called with."""
    seen: list[tuple[int, int]] = []

    def once(image: Image.Image, scale: float, work: Work) -> Image.Image:
        seen.append(image.size)
        for part in range(4):
            work.done(part + 1, 4)
        return image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.NEAREST)

    return Upscaler("counting", once, factor), seen


@pytest.mark.parametrize(
    ("factor", "scale", "passes"),
    [(4, 4, 1), (4, 2, 1), (2, 4, 2), (2, 8, 3), (2, 16, 3), (1, 1, 1), (4, 1, 1), (4, 0.5, 0), (1, 2, 1), (4, 5, 2)],
)
def test_passes(factor: float, scale: float, passes: int) -> None:
    upscaler, seen = counting(factor)
    result = upscaler.enlarge(Image.new("RGB", (32, 24)), scale)
    assert len(seen) == passes
    assert result.size == (int(32 * scale) // 8 * 8, int(24 * scale) // 8 * 8)


@given(st.integers(1, 70), st.integers(1, 70), st.floats(0.3, 5), st.sampled_from(["Lanczos", "Nearest"]))
def test_sides_are_cut_to_eight(width: int, height: int, scale: float, name: str) -> None:
    result = simple_upscalers()[name].enlarge(Image.new("RGB", (width, height), "red"), scale)
    assert result.size == (max(1, int(width * scale) // 8 * 8), max(1, int(height * scale) // 8 * 8))


def test_a_surplus_is_taken_away_by_lanczos() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8))
    expected = noise.resize((30, 30), Image.Resampling.NEAREST).resize((24, 24), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(simple_upscalers()["nearest"].enlarge(noise, 1.5)), np.asarray(expected))


def test_none_leaves_the_picture_alone() -> None:
    image = Image.new("RGB", (33, 21))
    assert simple_upscalers()["None"].enlarge(image, 4) is image


def test_progress_runs_once_from_the_first_part_to_the_last() -> None:
    upscaler, _ = counting(2)
    told: list[float] = []
    upscaler.enlarge(Image.new("RGB", (8, 8)), 4, Work(done=lambda part, parts: told.append(part / parts)))
    assert told == [number / 8 for number in range(1, 9)]


def test_whoever_listens_can_end_it() -> None:
    upscaler, seen = counting(2)

    def stop(part: int, parts: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        upscaler.enlarge(Image.new("RGB", (8, 8)), 8, Work(done=stop))
    assert len(seen) == 1
