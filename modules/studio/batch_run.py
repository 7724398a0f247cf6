"""What the worker does with a batch of img2img: draw for each picture, save at once, write down what became of all."""

from __future__ import annotations

import dataclasses
import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.settings.store import Settings
from modules.studio.job import Job, Outcome, SavedFile
from modules.studio.job_watch import JobWatch
from modules.studio.outputs import Outputs, Place, is_wanted, subject_of
from modules.studio.picture_run import settings_of
from modules.studio.record import record_of
from modules.terms.errors import Interrupted
from modules.terms.picture_batch import PictureBatch

if TYPE_CHECKING:
    from modules.generation.picture_batch import Made
    from modules.studio.studio import Studio
    from modules.terms.result import GeneratedImage


@dataclass
class Saved:
    """What has been written so far. `record`: of the first result, completed at the end."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[SavedFile] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    subseeds: list[int] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


def run_batch(studio: Studio, job: Job, watch: JobWatch) -> Outcome:
    """Draws what `job` asks for and saves the results of each picture as they are finished.

    An interrupted job keeps those. Raises: WebuiError; Stopped if nothing was finished before.
    """
    from modules.generation.picture_batch import BatchRun

    began = time.monotonic()
    batch: PictureBatch = job.request
    settings = settings_of(job, batch.request, studio.settings)
    run = BatchRun(batch, studio.engine.tools(studio.settings), watch)
    saved = Saved()

    def announce(file: SavedFile) -> None:
        saved.files.append(file)
        watch.writing(file)

    outputs = studio.outputs.announcing(announce, unsaved=watch.folder)
    started = datetime.fromtimestamp(job.started or time.time())
    interrupted = False
    try:
        for made in run:
            paths = _save(made, batch, outputs, settings, started)
            # A folder that somebody names is written to, but never offered to browsers: what is shown of it is a copy.
            if batch.output_folder:
                paths = [_copied(path, watch.folder, len(saved.rows) + place) for place, path in enumerate(paths)]
            _take_down(saved, record_of(made.result, paths, settings=settings))
            interrupted = made.result.interrupted
    except Interrupted:
        if not saved.rows:
            raise
        interrupted = True
    record = _record(saved, run.notes, settings, time.monotonic() - began)
    return Outcome({**record, "interrupted": interrupted}, tuple(saved.files), interrupted)


def _save(made: Made, batch: PictureBatch, outputs: Outputs, settings: Settings, started: datetime) -> list[Path]:
    if not batch.output_folder:
        return outputs.save(made.result, settings, "img2img", started=started)
    samples = sum(image.kind == "sample" for image in made.result.images)
    paths, number = [], -1
    for image in made.result.images:
        number += image.kind == "sample"
        place = outputs.place(settings, "img2img")
        ending = f"-{number + 1}" if samples > 1 else ""
        place = dataclasses.replace(
            place,
            folder=outputs.data_dir / batch.output_folder
            if is_wanted(image, settings)
            else outputs.temporary(settings),
            in_subfolder=False,
            pattern="",
            name=made.name or "picture",
            ending=f"{ending}{image.suffix}",
        )
        paths.append(_store(outputs, made, image, place, number, settings))
    return paths


def _store(outputs: Outputs, made: Made, image: GeneratedImage, place: Place, number: int, settings: Settings) -> Path:
    text = image.infotext if settings["enable_pnginfo"] else None
    path = outputs.store(image.image, place, subject_of(made.result, image, max(0, number), settings), text, settings)
    if settings["save_txt"] and text:
        outputs.write_text(path.with_suffix(".txt"), f"{text}\n")
    return path


def _copied(path: Path, folder: Path, number: int) -> Path:
    """A copy of `path` in `folder`, or itself if it is there already."""
    if path.parent == folder:
        return path
    copy = folder / f"{number:05}{path.suffix}"
    shutil.copyfile(path, copy)
    return copy


def _take_down(saved: Saved, record: dict[str, Any]) -> None:
    saved.record = saved.record or record
    saved.rows += record["images"]
    saved.seeds += record["seeds"]
    saved.subseeds += record["subseeds"]


def _record(saved: Saved, notes: list[str], settings: Settings, seconds: float) -> dict[str, Any]:
    """The job's outcome in the form of record.py; of the pictures, as many as the settings say to show."""
    limit = int(settings["img2img_batch_show_results_limit"])
    shown = saved.rows if limit < 0 else saved.rows[:limit]
    hidden = len(saved.rows) - len(shown)
    said = [f"{hidden} more pictures are saved, but not shown (Settings: first N results)."] if hidden else []
    return {
        **(saved.record or {"request": {}, "extra": {}, "model": {}, "settings": {}}),
        "images": shown,
        "seeds": saved.seeds,
        "subseeds": saved.subseeds,
        "notes": [*notes, *said],
        "seconds": seconds,
    }
