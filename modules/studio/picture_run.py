"""What the worker does with a generation job: draw, save, and write down what became of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from modules.settings.store import Settings
from modules.studio.job import Job, Outcome, SavedFile
from modules.studio.job_watch import JobWatch
from modules.studio.record import record_of
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from modules.generation.postprocessing.step import Step
    from modules.generation.tools import Tools
    from modules.studio.studio import Studio
    from modules.terms.result import GenerationResult

# What a face may want otherwise than the settings say: its option -> the setting it stands for.
WISHES = {"save_samples": "samples_save", "save_grid": "grid_save", "return_grid": "return_grid"}


class ScriptHost(Protocol):
    """Draws jobs in which scripts of extensions take part. `page`: their side of the page, for whoever builds it."""

    @property
    def page(self) -> Any: ...

    def wants(self, request: GenerationRequest) -> bool:
        """Whether scripts take part in the drawing of `request`."""
        ...

    def draw(self, job: Job, request: GenerationRequest, tools: Tools, watch: JobWatch) -> GenerationResult:
        """The result of `request`, with a grid where one is wanted. Raises: as `generate`."""
        ...

    def build_without_page(self) -> None:
        """Makes the scripts' components where there is no page."""
        ...

    def app_started(self, demo: Any, app: Any) -> None:
        """Lets extensions add to the server's app; demo is None without a page."""
        ...

    def postprocessing(self, job: Job, tools: Tools, watch: JobWatch) -> AbstractContextManager[Sequence[Step]]:
        """Within: what extensions do in a job of the Extras tab, as steps of it."""
        ...

    def hold(self, job: Job, tools: Tools, watch: JobWatch) -> None:
        """Lets the extension that waits for this turn work. Raises: WebuiError with what it raised."""
        ...

    def model_loaded(self) -> None:
        """A checkpoint has come into memory."""
        ...

    def operations(self) -> list[str]:
        """The names of what extensions add to the Extras tab."""
        ...

    def rows(self) -> list[dict[str, Any]]:
        """The scripts as `/sdapi/v1/script-info` lists them."""
        ...


def run_generation(studio: Studio, job: Job, watch: JobWatch) -> Outcome:
    """Draws what `job` asks for and saves it. Raises: WebuiError, Stopped; then nothing is recorded."""
    from modules.generation.pipeline import generate
    from modules.studio.outputs import with_grid

    began = time.monotonic()
    request: GenerationRequest = job.request
    settings = settings_of(job, request, studio.settings)
    # Scheduled under the settings in force now, not those of the day it was asked: as a person would expect.
    tools = studio.engine.tools(studio.settings)
    if studio.host is not None and studio.host.wants(request):
        result = studio.host.draw(job, request, tools, watch)
    else:
        result = with_grid(generate(request, tools, watch, studio.additions.chained(request)), settings)

    files: list[SavedFile] = []

    def announce(file: SavedFile) -> None:
        # Written down before each file takes its name, so that a kill in between leaves none unaccounted for. The seal
        # comes last: without it the next start knows that the set is not complete.
        files.append(file)
        watch.finishing(Outcome({}, (*files, seal), result.interrupted))

    seal = seal_of(job, watch)
    outputs = studio.outputs.announcing(announce, unsaved=watch.folder)
    paths = outputs.save(result, settings, job.kind, started=datetime.fromtimestamp(job.started or time.time()))
    record = record_of(result, paths, settings=settings, seconds=time.monotonic() - began)
    outcome = Outcome(record, (*files, seal), result.interrupted)
    watch.finishing(outcome)
    seal.path.write_bytes(job.id.encode())
    return outcome


def seal_of(job: Job, watch: JobWatch) -> SavedFile:
    """The file whose presence says that all others of the job are there."""
    return SavedFile(watch.folder / "complete", hashlib.sha256(job.id.encode()).hexdigest())


def settings_of(job: Job, request: GenerationRequest, settings: Settings) -> Settings:
    """The settings that hold for the job's files: the request's overrides, then what its face wants of the files."""
    wishes: Mapping[str, Any] = {
        setting: job.options[option] for option, setting in WISHES.items() if option in job.options
    }
    return settings.with_flat(request.settings).with_flat(wishes)
