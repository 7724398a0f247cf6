"""What the facades stand for. Extensions reach everything through module globals, so there is one here; it is bound
by `host.install`, and nothing outside this room reads it."""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.page.arguments import Keeper
from modules.studio.extensions.folder import BASE
from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from modules.a1111.kept import Kept
    from modules.a1111.parts import Framing
    from modules.generation.tools import Tools
    from modules.settings.store import Settings
    from modules.studio.job import Job
    from modules.studio.job_watch import JobWatch
    from modules.studio.studio import Studio
    from modules.terms.result import GeneratedImage, GenerationResult


@dataclass
class Work:
    """The job that runs. `overrides`: settings that extensions changed on the way; they hold for this job alone.

    drawn: what every `process_images` of the job made, by the identity of its picture. by_script: a selected script
    runs, so pictures are saved as they come. framing: what is shown of the picture that is being drawn. kept: what a
    script that can go on where it was broken off has drawn. borrows: a model is being loaded for somebody's asking.
    broken: the extensions that failed in it, and sit out the rest.
    """

    job: Job
    tools: Tools
    watch: JobWatch
    by_script: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)
    drawn: dict[int, GeneratedImage] = field(default_factory=dict)
    last: GenerationResult | None = None
    notes: list[str] = field(default_factory=list)
    networks: list[Any] = field(default_factory=list)
    p: Any = None
    framing: Framing | None = None
    kept: Kept | None = None
    borrows: bool = False
    broken: set[str] = field(default_factory=set)

    @cached_property
    def chance(self) -> random.Random:
        """Where the job's own random numbers come from: the same ones if it is started again after a kill."""
        return random.Random(self.job.id)

    def broke(self, extension: str, what: str, error: BaseException) -> None:
        """Has an extension sit out the rest of the job, since `what` of it raised `error`, and says so."""
        if extension == BASE or extension in self.broken:
            return
        self.broken.add(extension)
        self.notes.append(
            f"The extension {extension} failed in {what} and sits out the rest of this job: {type(error).__name__}: "
            f"{error}. The Extensions tab has the details."
        )

    @property
    def settings(self) -> Settings:
        """The settings of the job with what extensions changed."""
        return self.tools.settings.with_flat(self.overrides)


@dataclass
class Loading:
    """The script file that is being loaded, and the root of the extension that it belongs to."""

    base: Path
    file: str
    extension: str


@dataclass
class Bound:
    """The studio, and what goes on in it for extensions. `tabs`: elem_ids of those that extensions
    brought. `styles`: CSS that came with them."""

    studio: Studio
    root: Path
    loading: Loading | None = None
    keeper: Keeper = field(default_factory=Keeper)
    tabs: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    _work: threading.local = field(default_factory=threading.local)

    def drawn_by(self, image: Any) -> Any:
        """The `p` that a picture was drawn with in the job of this thread, or in the last one; None for others."""
        known, p = getattr(self._work, "pictures", {}).get(id(image), (None, None))
        return p if known is not None and known() is image else None

    def remember(self, p: Any, pictures: Iterable[Any]) -> None:
        """Takes note of the `p` that these pictures were drawn with."""
        self._work.pictures.update((id(picture), (weakref.ref(picture), p)) for picture in pictures)

    @property
    def work(self) -> Work | None:
        """The job of this thread."""
        return getattr(self._work, "now", None)

    @contextmanager
    def working(self, work: Work) -> Iterator[Work]:
        """Within: `work` is the job of this thread."""
        before = self.work
        self._work.now, self._work.pictures = work, {}
        try:
            yield work
        finally:
            self._work.now = before

    @property
    def settings(self) -> Settings:
        """Those of the job of this thread, or the studio's."""
        return self.work.settings if self.work is not None else self.studio.settings


_bound: list[Bound] = []


def bind(bound: Bound) -> None:
    """From now on the facades stand for this studio."""
    _bound[:] = [bound]


def bound() -> Bound:
    """What the facades stand for. Raises: WebuiError before `bind`."""
    if not _bound:
        raise WebuiError("Extensions can be loaded only in a running studio: start webui.py.")
    return _bound[0]


def work_now(what: str) -> Work:
    """The job of this thread. Raises: WebuiError saying that `what` needs one."""
    work = bound().work
    if work is None:
        raise WebuiError(
            f"{what} was called outside of a job. An extension draws from its script's run() or from a button whose "
            "function is wrapped by modules.call_queue.wrap_gradio_gpu_call."
        )
    return work


def unique(names: Sequence[str], wanted: str) -> str:
    """`wanted`, or with the first free number behind it."""
    if wanted not in names:
        return wanted
    number = 1
    while f"{wanted}-{number}" in names:
        number += 1
    return f"{wanted}-{number}"
