"""What the worker does with a job of the Extras tab: work on each picture, save it, write down what became of it."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.enhance.captions import merged
from modules.imaging.metadata import PARAMETERS
from modules.imaging.names import Subject
from modules.settings.store import Settings
from modules.studio.job import Job, Outcome, SavedFile
from modules.studio.job_watch import JobWatch
from modules.studio.outputs import Outputs, Place
from modules.terms.errors import Interrupted
from modules.terms.extras import ExtrasRequest

if TYPE_CHECKING:
    from modules.generation.extras import Extras, Postprocessed
    from modules.studio.studio import Studio

SECTION = "extras"
POSTPROCESSING = "postprocessing"


@dataclass
class Saved:
    """What has been written so far: rows for the record, every file, and what was done to the last picture.

    origins: name of a file -> number of the picture that goes by it: two called alike must not overwrite each other.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    files: list[SavedFile] = field(default_factory=list)
    said: str = ""
    origins: dict[str, int] = field(default_factory=dict)

    def name_for(self, made: Postprocessed) -> str:
        """The name of the file that `made` was made of, with a number if another one of the job had it."""
        name, again = made.name, 1
        while self.origins.setdefault(name.lower(), made.number) != made.number:
            name, again = f"{made.name}-{again}", again + 1
        return name


def run_extras(studio: Studio, job: Job, watch: JobWatch) -> Outcome:
    """Works on the pictures that `job` names and saves each as it is finished.

    An interrupted job keeps those. Raises: WebuiError; Stopped if nothing was finished before.
    """
    from modules.generation.extras import Extras

    request: ExtrasRequest = job.request
    tools = studio.engine.tools(studio.settings)
    with studio.host.postprocessing(job, tools, watch) if studio.host is not None else nullcontext(()) as more:
        return _worked_on(studio, job, watch, Extras(request, tools, watch, more))


def _worked_on(studio: Studio, job: Job, watch: JobWatch, extras: Extras) -> Outcome:
    began = time.monotonic()
    request: ExtrasRequest = job.request
    saved = Saved()

    def announce(file: SavedFile) -> None:
        saved.files.append(file)
        watch.writing(file)

    outputs = studio.outputs.announcing(announce, unsaved=watch.folder)
    folder = None if job.options.get("save_samples", True) else watch.folder
    # A folder that somebody names is written to, but never offered to browsers: what is shown of it is a copy.
    shown = watch.folder if request.output_folder and request.show_results else None
    interrupted = False
    try:
        for made in extras:
            _save(made, request, outputs, extras.settings, saved, folder)
            if shown is not None:
                _copy_last(saved, shown)
    except Interrupted:
        if not saved.rows:
            raise
        interrupted = True
    notes = [*extras.notes, *_note_of(request, saved)]
    record = _record(request, saved, notes, interrupted=interrupted, seconds=time.monotonic() - began)
    return Outcome(record, tuple(saved.files), interrupted)


def _save(
    made: Postprocessed,
    request: ExtrasRequest,
    outputs: Outputs,
    settings: Settings,
    saved: Saved,
    unsaved: Path | None,
) -> None:
    made = dataclasses.replace(made, name=saved.name_for(made) if made.name else "")
    place = place_of(made, request, outputs, settings)
    if unsaved is not None:
        place = dataclasses.replace(place, folder=unsaved, name=f"{len(saved.rows):05}")
    text, others = texts_of(made, place.suffix) if settings["enable_pnginfo"] else (None, {})
    path = outputs.store(made.image, place, Subject(), text, settings, others=others)
    if made.caption:
        beside = path.with_suffix(".txt")
        old = beside.read_text(encoding="utf-8") if beside.is_file() else ""
        words = merged(old, made.caption, settings["postprocessing_existing_caption_action"])
        outputs.write_text(beside, words)
    saved.said = made.said
    saved.rows.append(
        {
            "path": str(path),
            "kind": "sample",
            "infotext": infotext_of(made),
            "prompt": "",
            "negative_prompt": "",
            "seed": None,
            "subseed": None,
            "suffix": "".join(f"-{tag}" for tag in made.tags),
            "complete": True,
            "width": made.image.width,
            "height": made.image.height,
        }
    )


def _copy_last(saved: Saved, folder: Path) -> None:
    """The last picture is copied to `folder` and shown from there."""
    row = saved.rows[-1]
    copy = folder / f"{len(saved.rows):05}{Path(row['path']).suffix}"
    shutil.copyfile(row["path"], copy)
    row["path"] = str(copy)


def place_of(made: Postprocessed, request: ExtrasRequest, outputs: Outputs, settings: Mapping[str, Any]) -> Place:
    """Where a picture goes: under a number, or under the name of the file it was made of, with its tags."""
    place = outputs.place({**settings, "save_to_dirs": False}, "extras")
    several = len(request.pictures) > 1 or request.folder
    name = made.name if several and settings["use_original_name_batch"] else ""
    ending = "-".join(made.tags)
    return dataclasses.replace(
        place,
        folder=outputs.data_dir / request.output_folder if request.output_folder else place.folder,
        pattern="",
        name=name,
        ending=f"-{ending}" if name and ending else ending,
    )


def texts_of(made: Postprocessed, suffix: str) -> tuple[str | None, dict[str, str]]:
    """(the text in the usual place, texts by name): those of the picture it was made of, and what was done.

    Formats other than PNG have one place, so what made the picture and what was done to it share it.
    """
    if suffix.lower() != ".png":
        return infotext_of(made) or None, {}
    kept = {name: text for name, text in made.texts.items() if name not in (PARAMETERS, "exif comment")}
    done = {POSTPROCESSING: made.said, SECTION: made.said} if made.said else {}
    return made.parameters or None, {**kept, **done}


def infotext_of(made: Postprocessed) -> str:
    """What made the picture, then what was done to it, as one text."""
    return ", ".join(text for text in (made.parameters, made.said) if text)


def _note_of(request: ExtrasRequest, saved: Saved) -> Iterable[str]:
    if request.folder and not request.show_results and saved.rows:
        yield f"{len(saved.rows)} pictures are in {saved.files[0].path.parent}."


def _record(
    request: ExtrasRequest, saved: Saved, notes: list[str], *, interrupted: bool, seconds: float
) -> dict[str, Any]:
    """The job's outcome as JSON, in the form of record.py as far as there is something to say."""
    shown = [] if request.folder and not request.show_results else saved.rows
    return {
        "images": shown,
        "seeds": [],
        "subseeds": [],
        "notes": notes,
        "interrupted": interrupted,
        "seconds": seconds,
        "request": {},
        "extra": {},
        "model": {},
        "settings": {},
        "said": saved.said,
    }
