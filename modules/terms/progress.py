"""What a running generation says, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

Phase = Literal["waiting", "loading", "encoding", "sampling", "upscaling", "faces", "decoding", "finishing", "merging"]


@dataclass(frozen=True)
class Progress:
    """Where a generation stands. `step` of `steps` counts sampler steps of the pass that runs; `batch` of `batches`
    counts passes (a hires pass counts as one more per batch). `counts` False: the steps are told, but are no share of
    what there is to do (tiles between two passes). `note`: a sentence for the user about what comes now."""

    phase: Phase
    step: int = 0
    steps: int = 0
    batch: int = 0
    batches: int = 1
    counts: bool = True
    note: str = ""

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""
        if self.batches <= 0:
            return 0.0
        inside = self.step / self.steps if self.steps and self.counts else 0.0
        return min(1.0, (self.batch + inside) / self.batches)


class Watcher(Protocol):
    """Called after every step and at every change of phase. `preview`, when given, draws the picture as it stands
    (a PIL image; costs something, so call it only if somebody looks).

    Raises: Interrupted, Skipped or Cancelled to end work early.
    """

    def __call__(self, progress: Progress, preview: Callable[[], Image] | None = None) -> None: ...


def unwatched(progress: Progress, preview: Callable[[], Image] | None = None) -> None:
    """The watcher that sees nothing and never stops."""
