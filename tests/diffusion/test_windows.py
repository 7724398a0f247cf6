"""Windows cover everything, and what is made of them joins without seams."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from modules.diffusion.tiled import TiledNetwork, WindowPlan
from modules.diffusion.windows import Mosaic, Window, spans, windows
from modules.terms.errors import Interrupted

lengths, sides = st.integers(1, 300), st.integers(8, 96)


@given(lengths, sides, st.integers(0, 95), st.sampled_from([1, 8]))
def test_spans_cover_everything_and_share_enough(length: int, side: int, overlap: int, grid: int) -> None:
    overlap = min(overlap, side - grid) if side > grid else 0
    found = spans(length, side, overlap, grid)
    assert (found[0].start, found[-1].end) == (0, length)
    for before, after in zip(found, found[1:], strict=False):
        assert after.start > before.start
        assert before.end - after.start == before.after == after.before
        assert before.after >= min(overlap, side - grid)
    assert all(span.start % grid == 0 for span in found[:-1])


@pytest.mark.parametrize(("side", "overlap"), [(8, 8), (8, 9), (8, -1)])
def test_an_overlap_that_does_not_fit_is_refused(side: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        spans(64, side, overlap)


@given(lengths, lengths, sides, st.integers(0, 7))
def test_cutting_and_joining_changes_nothing(height: int, width: int, side: int, overlap: int) -> None:
    whole = torch.arange(height * width, dtype=torch.float64).view(1, 1, height, width)
    mosaic = Mosaic()
    for window in windows(height, width, side, overlap):
        mosaic.add(window, window.of(whole), (height, width))
    assert torch.allclose(mosaic.whole(), whole, rtol=1e-6)


def test_one_window_fades_into_the_next() -> None:
    """Two windows that disagree: the joined line falls from the one to the other, without a step."""
    mosaic = Mosaic(scale=2)
    for value, window in enumerate(windows(8, 28, 16, 4)):
        mosaic.add(window, torch.full((1, 16, 32), float(value)), (8, 28))
    line = mosaic.whole()[0, 0]
    steps = line.diff()
    assert line[0] == 0
    assert line[-1] == 1
    assert steps.min() >= 0
    assert steps.max() <= 1 / 7


def by_pixel(
    x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
) -> Tensor:
    """A network that looks at single places only."""
    seen = x.sin() * timestep.view(-1, 1, 1, 1)
    return seen if extra is None else seen + extra[:, :1]


def test_a_network_without_a_view_sees_the_same_through_windows() -> None:
    x, extra = torch.randn(2, 4, 40, 56), torch.randn(2, 5, 40, 56)
    arguments = torch.tensor([3.0, 5.0]), torch.zeros(2, 77, 8), None, extra
    tiled = TiledNetwork(by_pixel, WindowPlan(16, 4))
    assert torch.allclose(tiled(x, *arguments), by_pixel(x, *arguments), atol=1e-5)


def test_a_picture_of_one_window_is_seen_as_without() -> None:
    x = torch.randn(1, 4, 16, 16)
    arguments = torch.tensor([3.0]), torch.zeros(1, 77, 8)
    assert torch.equal(TiledNetwork(by_pixel, WindowPlan(16, 4))(x, *arguments), by_pixel(x, *arguments))


class Small:
    """A network with memory for pictures of 16 x 16 latents."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(
        self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        if x.shape[-1] > 16 or x.shape[-2] > 16:
            self.refused += 1
            raise torch.OutOfMemoryError("too large")
        return by_pixel(x, timestep, cross)


def test_windows_come_in_when_memory_runs_out_and_stay() -> None:
    x = torch.randn(1, 4, 40, 24)
    arguments = torch.tensor([3.0]), torch.zeros(1, 77, 8)
    network = Small()
    tiled = TiledNetwork(network, WindowPlan(16, 4, active=False))
    for _ in range(2):
        assert torch.allclose(tiled(x, *arguments), by_pixel(x, *arguments), atol=1e-5)
    assert network.refused == 1
    assert tiled.plan.active


def test_what_knows_its_place_is_told_the_window() -> None:
    class Placed:
        def __init__(self, hint: Tensor) -> None:
            self.hint = hint

        def through(self, window: Window, size: tuple[int, int]) -> Placed:
            assert size == (40, 24)
            return Placed(window.of(self.hint))

        def __call__(
            self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
        ) -> Tensor:
            return by_pixel(x, timestep, cross) + self.hint

    x, hint = torch.randn(1, 4, 40, 24), torch.randn(1, 1, 40, 24)
    arguments = torch.tensor([3.0]), torch.zeros(1, 77, 8)
    tiled = TiledNetwork(Placed(hint), WindowPlan(16, 8))
    assert torch.allclose(tiled(x, *arguments), by_pixel(x, *arguments) + hint, atol=1e-5)


def test_it_can_be_stopped_between_two_windows() -> None:
    heard = []

    def stop() -> None:
        heard.append(1)
        if len(heard) == 3:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        TiledNetwork(by_pixel, WindowPlan(16, 4, on_window=stop))(
            torch.randn(1, 4, 64, 64), torch.tensor([3.0]), torch.zeros(1, 77, 8)
        )
    assert len(heard) == 3
