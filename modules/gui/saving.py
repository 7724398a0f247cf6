"""The Save and Zip buttons: pictures of the gallery go to the save folder, with a line in its log.csv.

Source: spec/infotext.md §7.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from modules.gui import i18n
from modules.gui.needs import Studio
from modules.gui.run import language_now
from modules.imaging.files import open_image
from modules.imaging.names import Subject, expand, file_name
from modules.settings.store import Settings
from modules.studio.outputs import Place
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest

COLUMNS = (
    "prompt",
    "seed",
    "width",
    "height",
    "sampler",
    "cfgs",
    "steps",
    "filename",
    "negative_prompt",
    "sd_model_name",
    "sd_model_hash",
)
_ZIP_PATTERN = "[datetime]_[[model_name]]_[seed]-[seed_last]"


def save_from_gallery(studio: Studio, choice: str, *, as_zip: bool) -> tuple[list[Path], str]:
    """The files that were written, and the sentence that says so.

    `choice` is JSON: the id of the job that is shown and the index of the picture that is chosen in the gallery.
    Raises: BadRequest if there is nothing to save.
    """
    language = language_now(studio)
    settings = studio.settings
    record, shown, index = in_gallery(studio, choice)
    there = chosen_of(shown, index, settings)
    if not there:
        raise BadRequest(i18n.say("notice.nothing_to_save", language))
    paths = [_saved(studio, record, image, number, settings) for number, image in enumerate(there)]
    if settings["save_write_log_csv"]:
        append_log(_folder(studio, settings) / "log.csv", _row(record, there[0], paths[0]))
    files = [_zipped(studio, record, there[0], paths, settings)] if as_zip else paths
    return files, i18n.say("notice.saved", language, count=len(paths), folder=_folder(studio, settings))


def in_gallery(studio: Studio, choice: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]], int]:
    """(the job's record, the pictures that the gallery shows of it, which of them is chosen); see `choice` above."""
    picked = json.loads(choice or "{}")
    job = studio.jobs.get(str(picked.get("id") or "")) if picked.get("id") else None
    record = job.result if job is not None and job.result else {}
    images = record.get("images", ())
    wanted = [image for image in images if image.get("kind") != "grid" or studio.settings["return_grid"]]
    # Deleted ones are not in the gallery: the index counts without them.
    shown = [image for image in wanted if Path(image["path"]).is_file()]
    return record, shown, int(picked.get("index", 0))


def chosen_of(images: Sequence[Mapping[str, Any]], index: int, settings: Settings) -> list[Mapping[str, Any]]:
    """The picture at `index` if the settings say that one is meant and it is no grid; otherwise all but grids."""
    chosen = images[index] if 0 <= index < len(images) else None
    if settings["save_selected_only"] and chosen is not None and chosen.get("kind") != "grid":
        return [chosen]
    return [image for image in images if image.get("kind") != "grid"]


def _folder(studio: Studio, settings: Settings) -> Path:
    return Path(studio.flags.data_dir) / str(settings["outdir_save"])


def _saved(
    studio: Studio, record: Mapping[str, Any], image: Mapping[str, Any], number: int, settings: Settings
) -> Path:
    picture = open_image(Path(image["path"]))
    in_subfolder = bool(settings["use_save_to_dirs_for_ui"])
    place = Place(
        folder=_folder(studio, settings),
        suffix="." + str(settings["samples_format"]).lower().lstrip("."),
        pattern=settings["samples_filename_pattern"] or ("[seed]" if in_subfolder else "[seed]-[prompt_spaces]"),
        ending=str(image.get("suffix") or ""),
        in_subfolder=in_subfolder,
    )
    text = str(image.get("infotext") or "") if settings["enable_pnginfo"] else None
    path = studio.outputs.store(picture, place, _subject(record, image, number, settings), text, settings)
    if settings["save_txt"] and text:
        with replacing(path.with_suffix(".txt")) as draft:
            draft.write_text(f"{text}\n", encoding="utf-8")
    return path


def _subject(record: Mapping[str, Any], image: Mapping[str, Any], number: int, settings: Settings) -> Subject:
    request, model = record.get("request") or {}, record.get("model") or {}
    return Subject(
        prompt=str(image.get("prompt") or request.get("prompt") or ""),
        negative_prompt=str(image.get("negative_prompt") or request.get("negative_prompt") or ""),
        seed=image.get("seed"),
        seeds=tuple(record.get("seeds") or ()),
        number=number,
        batch_size=int(request.get("batch_size") or 1),
        n_iter=int(request.get("n_iter") or 1),
        steps=int(request.get("steps") or 0),
        cfg_scale=float(request.get("cfg_scale") or 0),
        width=int(image.get("width") or request.get("width") or 0),
        height=int(image.get("height") or request.get("height") or 0),
        styles=tuple(request.get("styles") or ()),
        sampler=str(request.get("sampler") or ""),
        scheduler=str((record.get("extra") or {}).get("Schedule type") or request.get("scheduler") or ""),
        model_name=str(model.get("name") or ""),
        model_hash=str(model.get("hash") or ""),
        clip_skip=int(settings["CLIP_stop_at_last_layers"]),
        denoising_strength=request.get("denoising_strength"),
        max_words=int(settings["directories_max_prompt_words"]),
    )


def _row(record: Mapping[str, Any], image: Mapping[str, Any], path: Path) -> list[Any]:
    request, model = record.get("request") or {}, record.get("model") or {}
    return [
        image.get("prompt") or request.get("prompt"),
        image.get("seed"),
        request.get("width"),
        request.get("height"),
        request.get("sampler"),
        request.get("cfg_scale"),
        request.get("steps"),
        path.name,
        image.get("negative_prompt") or request.get("negative_prompt"),
        model.get("name"),
        model.get("hash"),
    ]


def append_log(path: Path, row: Sequence[Any]) -> None:
    """Adds `row` to the log at `path`; the rows of an older file, with fewer columns, are filled up."""
    rows: list[list[str]] = []
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as old:
            rows = list(csv.reader(old))[1:]
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as new:
        writer = csv.writer(new)
        writer.writerow(COLUMNS)
        writer.writerows([*line, *[""] * (len(COLUMNS) - len(line))] for line in rows)
        writer.writerow(row)


def _zipped(
    studio: Studio, record: Mapping[str, Any], image: Mapping[str, Any], paths: Sequence[Path], settings: Settings
) -> Path:
    """A zip of `paths` and the texts beside them, in the save folder."""
    subject = _subject(record, image, 0, settings)
    name = file_name(expand(settings["grid_zip_filename_pattern"] or _ZIP_PATTERN, subject), 240)
    name = name or datetime.now().strftime("%Y%m%d%H%M%S")
    path = _folder(studio, settings) / f"{name}.zip"
    with replacing(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for file in paths:
            for one in (file, file.with_suffix(".txt")):
                if one.is_file():
                    archive.write(one, one.name)
    return path
