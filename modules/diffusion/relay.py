"""One denoiser that hands over to another on the way: the refiner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from modules.diffusion.guidance import Guided
from modules.diffusion.levels import NoiseLevels

Due = Callable[[Tensor, int], bool]


@dataclass
class Relay:
    """A Denoiser that is `first` until `due` says so, and from then on what `second` returns, which is asked once.

    due: (sigma (B,), calls so far) -> whether the second takes over before this call.
    The second goes on counting calls where the first stopped, so that its prompts are at the same step.
    """

    first: Guided
    due: Due
    second: Callable[[], Guided]
    _second: Guided | None = field(default=None, init=False)

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """See `Denoiser`."""
        if self._second is None and self.due(sigma, self.first.calls):
            self._second = self.second()
            self._second.calls = self.first.calls
        return self.runner(x, sigma, timestep=timestep)

    @property
    def runner(self) -> Guided:
        """The one whose turn it is."""
        return self._second or self.first

    @property
    def uncond(self) -> Tensor | None:
        """As in `Guided`, of the last call."""
        return self.runner.uncond

    @property
    def cond(self) -> Tensor | None:
        """As in `Guided`, of the last call."""
        return self.runner.cond

    @property
    def recorded(self) -> dict[str, object]:
        """Infotext entries of both."""
        return {**self.first.recorded, **self.runner.recorded}


def due_at_level(levels: NoiseLevels, share: float) -> Due:
    """Due when a `share` of the model's noise levels is behind. Source: spec/sampling.md §10."""
    return lambda sigma, calls: levels.share_done(sigma) >= share


def due_after_calls(total: int, share: float) -> Due:
    """Due when a `share` of `total` calls is behind, as before A1111 1.8."""
    return lambda sigma, calls: calls / total >= share
