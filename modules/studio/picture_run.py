"""What the worker does with a generation job: draw, save, and write down what became of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modules.settings.store import Settings
from modules.studio.job import Job, Outcome, SavedFile
from modules.studio.job_watch import JobWatch
from modules.studio.record import record_of
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from modules.studio.studio import Studio

# What a face may want otherwise than the settings say: its option -> the setting it stands for.
WISHES = {"save_samples": "samples_save", "save_grid": "grid_save", "return_grid": "return_grid"}


def run_generation(studio: Studio, job: Job, watch: JobWatch) -> Outcome:
    """Draws what `job` asks for and saves it. Raises: WebuiError, Stopped; then nothing is recorded."""
    from modules.generation.pipeline import generate
    from modules.studio.outputs import with_grid

    began = time.monotonic()
    request: GenerationRequest = job.request
    settings = settings_of(job, request, studio.settings)
    # Scheduled under the settings in force now, not those of the day it was asked: as a person would expect.
    result = with_grid(generate(request, studio.engine.tools(studio.settings), watch), settings)

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
