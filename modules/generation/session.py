"""What one job has with it on its way: its plan, its settings, its tools, and what has come out so far."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.checkpoints.bundle import ModelBundle
from modules.enhance.upscaler import Work
from modules.generation.hooks import Hooks
from modules.generation.plan import Batch, Plan
from modules.generation.tools import Tools
from modules.imaging.resize import Upscale
from modules.settings.store import Settings
from modules.terms.errors import Interrupted, Skipped, Stopped
from modules.terms.progress import Phase, Progress, Watcher
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage

if TYPE_CHECKING:
    from modules.generation.controls import Controls


@dataclass
class Session:
    """`settings` have the request's overrides. `extra` are infotext entries in the order in which they came up;
    `scripts` are those of always-on scripts, which stand before them. `controls`: the ControlNet units, if any.
    `chance`: what else is drawn by lot in the batch, by its first seed."""

    plan: Plan
    settings: Settings
    tools: Tools
    watch: Watcher
    bundle: ModelBundle
    hooks: Hooks = field(default_factory=Hooks)
    images: list[GeneratedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    scripts: dict[str, Any] = field(default_factory=dict)
    stopped: Stopped | None = None
    controls: Controls | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(0), repr=False)

    @property
    def request(self) -> GenerationRequest:
        return self.plan.request

    @property
    def passes_per_batch(self) -> int:
        """The first, the hires pass and that of the details, as far as they are asked for."""
        detail = self.request.detail
        return 1 + (self.request.hires is not None) + (detail is not None and bool(detail.units))

    def drawn(self, batch: Batch) -> int:
        """How many passes are done when all but the details of `batch` is."""
        return batch.index * self.passes_per_batch + 1 + (self.request.hires is not None)

    @property
    def passes(self) -> int:
        return len(self.plan.batches) * self.passes_per_batch

    @property
    def tiling(self) -> bool:
        """Whether the edges of the pictures shall meet."""
        asked = self.request.tiling
        return bool(self.settings["tiling"] if asked is None else asked)

    def note(self, sentence: str) -> None:
        """Adds a sentence for the user, once."""
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)

    def enlarge(self, upscaler: str, number: int) -> Upscale:
        """What an upscaler does with a picture; the watcher hears of every tile while `number` passes are done.

        Raises: NotFound. The returned function raises: Interrupted, Skipped, Cancelled, OutOfMemory, UnknownFile.
        """

        def done(part: int, parts: int) -> None:
            self.watch(Progress("upscaling", part, parts, number, self.passes, counts=False))

        return self.tools.enlarge(upscaler, Work(self.settings, done))

    def tell(self, phase: Phase, number: int, part: int = 0, parts: int = 0) -> None:
        """Tells the watcher that `number` passes are done and what comes now, or which part of it.

        An interruption is taken note of here instead of losing what has been drawn. Raises: Cancelled.
        """
        try:
            self.watch(Progress(phase, part, parts, number, self.passes, counts=not parts))
        except (Interrupted, Skipped) as stop:
            self.stopped = stop
