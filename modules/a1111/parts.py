"""Several `process_images` in one job: what each says of its own progress becomes the progress of the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modules.terms.progress import Progress, Watcher

if TYPE_CHECKING:
    from PIL.Image import Image

Framing = Callable[["Image"], "Image"]


@dataclass(frozen=True)
class PartWatch:
    """A watcher for one of them. done: batches of the job that were finished before; count: all that it will have;
    own: how many this one has. framing: what is shown of the picture that is being drawn."""

    watch: Watcher
    done: int
    count: int
    own: int
    framing: Framing | None = None

    @classmethod
    def of(cls, watch: Watcher, p: Any, state: Any, framing: Framing | None) -> PartWatch:
        """For the next `process_images` of `p`, after what `state` has counted."""
        own = max(1, int(p.n_iter))
        return cls(watch, state.job_no, max(state.job_count, state.job_no + own), own, framing)

    def __call__(self, progress: Progress, preview: Callable[[], Image] | None = None) -> None:
        """Raises: as the job's watcher."""
        # A batch may count as two passes, and all parts are taken to be alike.
        passes = max(1, progress.batches // self.own)
        whole = replace(progress, batch=self.done * passes + progress.batch, batches=self.count * passes)
        framing = self.framing
        if preview is None or framing is None:
            self.watch(whole, preview)
            return
        self.watch(whole, lambda: framing(preview()))
