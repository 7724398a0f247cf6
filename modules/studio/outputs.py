"""Where results go: folders, numbers and names as the settings say, with their text inside.

Several workers, in several processes, may save at once: a name is given once and nothing is overwritten by accident.
"""

from __future__ import annotations

import copy
import dataclasses
import errno
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from modules.imaging.files import Encoding, prepare, write_file
from modules.imaging.grids import grid_rows, image_grid
from modules.imaging.metadata import PARAMETERS, texts_of
from modules.imaging.names import Spelling, Subject, expand, file_name, folder_names, next_number
from modules.settings.store import Settings
from modules.studio.job import SavedFile
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, WebuiError
from modules.terms.result import GeneratedImage, GenerationResult

NAME_BYTES = 255
# A folder that was asked for cannot be one; whatever else stops a picture is the disk's fault.
OF_THE_NAME = frozenset({errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP})
TEMPORARY = Path("tmp", "pictures")
_FOLDERS = {
    "txt2img": "outdir_txt2img_samples",
    "img2img": "outdir_img2img_samples",
    "extras": "outdir_extras_samples",
}
_GRID_FOLDERS = {"txt2img": "outdir_txt2img_grids", "img2img": "outdir_img2img_grids"}


@dataclass(frozen=True)
class Place:
    """A folder, and how a file in it is named: `basename-` and a number, then the expanded `pattern` and `ending`;
    or `name` and `ending` alone, if there is a name."""

    folder: Path
    suffix: str = ".png"
    pattern: str = ""
    basename: str = ""
    ending: str = ""
    in_subfolder: bool = False
    name: str = ""


@dataclass
class Saving:
    """A picture about to be written to `path`, or just written; before, whoever looks on may change each.

    texts: what goes into the file by name, the generation parameters under `PARAMETERS`.
    """

    image: Image.Image
    path: Path
    texts: dict[str, str]


class Onlooker(Protocol):
    """Who looks on while pictures are saved."""

    def saving(self, saving: Saving) -> None: ...
    def saved(self, saving: Saving) -> None: ...


class Outputs:
    """Saves pictures under `data_dir`. Safe to use from many threads. `onlooker`: extensions, None: nobody.

    `prompt_history`: keep the text of the last picture in params.txt, for the paste button.
    `unsaved`: where pictures go that the settings say not to save; default: `temp_dir`, or tmp/pictures.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        spelling: Spelling | None = None,
        prompt_history: bool = True,
        unsaved: Path | None = None,
    ) -> None:
        self.data_dir = Path(data_dir)
        self._unsaved = unsaved
        self._spelling = spelling or Spelling()
        self._prompt_history = prompt_history
        self._lock = threading.Lock()
        self._numbers: dict[tuple[Path, str], tuple[int, int]] = {}
        self._announce: Callable[[SavedFile], None] = lambda file: None
        self.onlooker: Onlooker | None = None

    def announcing(self, announce: Callable[[SavedFile], None], *, unsaved: Path | None = None) -> Outputs:
        """The same outputs, telling `announce` of each file just before it takes its name.

        `unsaved`: another folder for what is not to be saved, such as one that goes with its job.
        """
        twin = copy.copy(self)
        twin._announce = announce
        twin._unsaved = unsaved or self._unsaved
        return twin

    def folders(self, settings: Mapping[str, Any] | None = None) -> tuple[Path, ...]:
        """Every folder that pictures are written to under `settings` (default: as set at first), each once."""
        settings = settings if settings is not None else Settings()
        keys = ("outdir_samples", "outdir_grids", "outdir_save", "outdir_init_images")
        named = [settings[key] for key in (*keys, *_FOLDERS.values(), *_GRID_FOLDERS.values()) if settings[key]]
        return tuple(dict.fromkeys([*(self.data_dir / name for name in named), self.temporary(settings)]))

    def temporary(self, settings: Mapping[str, Any]) -> Path:
        """Where pictures go that are not to be saved, so that the page can still show them."""
        return self._unsaved or self.data_dir / (settings["temp_dir"] or TEMPORARY)

    def save(
        self,
        result: GenerationResult,
        settings: Mapping[str, Any],
        kind: str = "",
        *,
        style_texts: Sequence[str] = (),
        user: str = "",
        started: datetime | None = None,
    ) -> list[Path]:
        """Write every picture of `result`; returns the file of each, in order.

        settings: those of the job, overrides included; what they say not to save goes to the temporary folder.
        kind: "txt2img", "img2img" or "extras"; default: by the request. started: when the job began.
        Raises: WebuiError if a folder cannot be written to.
        """
        kind = kind or ("img2img" if result.request.source else "txt2img")
        paths: list[Path] = []
        number = -1
        for image in result.images:
            number += image.kind == "sample"
            subject = dataclasses.replace(
                subject_of(result, image, max(0, number), settings),
                style_texts=tuple(style_texts),
                user=user,
                started=started or datetime.now(),
            )
            paths.append(self._save_one(image, subject, settings, kind))
        if self._prompt_history and result.images:
            with replacing(self.data_dir / "params.txt") as draft:
                draft.write_text(result.images[0].infotext, encoding="utf-8")
        return paths

    def _save_one(self, image: GeneratedImage, subject: Subject, settings: Mapping[str, Any], kind: str) -> Path:
        if image.saved_as:
            return Path(image.saved_as)
        text = image.infotext if settings["enable_pnginfo"] else None
        if not is_wanted(image, settings):
            suffix, data = prepare(image.image, ".png", text)
            path = self.temporary(settings) / f"{secrets.token_hex(8)}{suffix}"
            self._write(path, data, replace=False)
            return path
        grid = image.kind == "grid"
        path = self.store(
            image.image, self.place(settings, kind, grid=grid, ending=image.suffix), subject, text, settings
        )
        if settings["save_txt"] and text:
            self._write(path.with_suffix(".txt"), f"{text}\n".encode(), replace=True)
        if settings["export_for_4chan"] and not grid:
            self._save_small(image.image, path, text, settings)
        return path

    def place(self, settings: Mapping[str, Any], kind: str, *, grid: bool = False, ending: str = "") -> Place:
        """Where pictures of `kind`, or their grids, go."""
        if grid:
            folder = settings["outdir_grids"] or settings[_GRID_FOLDERS.get(kind, "outdir_txt2img_grids")]
            in_subfolder = settings["grid_save_to_dirs"]
        else:
            folder = settings["outdir_samples"] or settings[_FOLDERS[kind]]
            in_subfolder = settings["save_to_dirs"]
        pattern = settings["samples_filename_pattern"] or ("[seed]" if in_subfolder else "[seed]-[prompt_spaces]")
        return Place(
            folder=self.data_dir / folder,
            suffix="." + settings["grid_format" if grid else "samples_format"].lower().lstrip("."),
            pattern="" if grid and not settings["grid_extended_filename"] else pattern,
            basename="grid" if grid else "",
            ending=ending,
            in_subfolder=in_subfolder,
        )

    def store(
        self,
        image: Image.Image,
        place: Place,
        subject: Subject,
        text: str | None,
        settings: Mapping[str, Any],
        *,
        others: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write one picture at `place` under the next free name; returns it. `others` are more texts for a PNG."""
        picture = _Content(image, place.suffix, text, settings, others, self.onlooker)
        path = self._stored(picture, place, subject, settings)
        picture.written()
        return path

    def _stored(self, picture: _Content, place: Place, subject: Subject, settings: Mapping[str, Any]) -> Path:
        suffix, folder = picture.suffix, place.folder
        if place.in_subfolder:
            pattern = settings["directories_filename_pattern"] or "[prompt_words]"
            folder = folder.joinpath(*folder_names(expand(pattern, subject, self._spelling)))
        decoration = (place.name or expand(place.pattern, subject, self._spelling)) + place.ending
        if not place.name and (settings["save_images_add_number"] or not decoration):
            return self._write_numbered(folder, place.basename, decoration, picture)
        name = file_name(decoration, NAME_BYTES - len(suffix) - 8)
        if settings["save_images_replace_action"] == "Replace":
            path, data = picture.at(folder / f"{name}{suffix}")
            self._write(path, data, replace=True)
            return path
        return self._write_unlike(folder, name, picture)

    def write_text(self, path: Path, text: str) -> None:
        """Write a text file beside a picture, in place of one that is there. Raises: WebuiError if that fails."""
        self._write(path, text.encode("utf-8"), replace=True)

    def _write_numbered(self, folder: Path, basename: str, decoration: str, picture: _Content) -> Path:
        suffix = picture.suffix
        with self._lock:
            number = self._next_number(folder, basename)
            while True:
                prefix = f"{basename}-{number:04}" if basename else f"{number:05}"
                name = f"{prefix}-{decoration}" if decoration else prefix
                path, data = picture.at(folder / f"{file_name(name, NAME_BYTES - len(suffix))}{suffix}")
                try:
                    self._write(path, data, replace=False)
                except FileExistsError:
                    number += 1
                    continue
                self._numbers[folder, basename] = (folder.stat().st_mtime_ns, number + 1)
                return path

    def _next_number(self, folder: Path, basename: str) -> int:
        """The number after the highest in `folder`. The folder is listed again only if something else changed it:
        listing takes longer the more pictures there are."""
        try:
            changed = folder.stat().st_mtime_ns
            known, number = self._numbers.get((folder, basename), (None, 0))
            return number if known == changed else next_number([path.name for path in folder.iterdir()], basename)
        except OSError:
            return 0  # not there yet, or not to be listed: then the first name that is free is found by trying

    def _write_unlike(self, folder: Path, name: str, picture: _Content) -> Path:
        number, suffix = 0, picture.suffix
        while True:
            path, data = picture.at(folder / (f"{name}-{number}{suffix}" if number else f"{name}{suffix}"))
            try:
                self._write(path, data, replace=False)
            except FileExistsError:
                number += 1
            else:
                return path

    def _save_small(self, image: Image.Image, path: Path, text: str | None, settings: Mapping[str, Any]) -> None:
        """Beside a picture that is too large for some places, a JPEG that is not."""
        limit = settings["target_side_length"]
        oversize = max(image.size) > limit
        if not oversize and path.stat().st_size <= settings["img_downscale_threshold"] * 1024 * 1024:
            return
        if oversize:
            scale = limit / max(image.size)
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            image = image.resize(size, Image.Resampling.LANCZOS)
        if path.suffix != ".jpg":
            suffix, data = prepare(image, ".jpg", text, encoding=Encoding(int(settings["jpeg_quality"])))
            if suffix == ".jpg":
                self._write(path.with_suffix(".jpg"), data, replace=True)

    def _write(self, path: Path, data: bytes, *, replace: bool) -> None:
        self._announce(SavedFile(path, hashlib.sha256(data).hexdigest()))
        try:
            write_file(path, data, replace=replace)
        except FileExistsError:
            if path.exists():
                raise
            raise WebuiError(
                f"{path.parent} cannot hold pictures: a file is in the way. "
                "Move it, or choose another folder in Settings, Paths for saving."
            ) from None
        except OSError as error:
            kind = BadRequest if error.errno in OF_THE_NAME else WebuiError
            raise kind(
                f"The picture could not be written to {path.parent}: {error.strerror or error}. "
                "Make room, or choose another folder in Settings, Paths for saving."
            ) from error


class _Content:
    """The bytes of a picture for the name that it gets: encoded once, or anew for each name if somebody looks on."""

    def __init__(
        self,
        image: Image.Image,
        suffix: str,
        text: str | None,
        settings: Mapping[str, Any],
        others: Mapping[str, Any] | None,
        onlooker: Onlooker | None,
    ) -> None:
        self._encoding = Encoding(int(settings["jpeg_quality"]), settings["webp_lossless"])
        self._given = (image, text, others)
        self._onlooker = onlooker
        self._last: Saving | None = None
        self.suffix, self._data = suffix, b""
        if onlooker is None:
            self.suffix, self._data = prepare(image, suffix, text, encoding=self._encoding, others=others)

    def at(self, path: Path) -> tuple[Path, bytes]:
        """Where the picture is to be written if `path` is free, and its bytes."""
        if self._onlooker is None:
            return path, self._data
        image, text, others = self._given
        self._last = saving = Saving(image, path, texts_of(text, others))
        self._onlooker.saving(saving)
        texts = dict(saving.texts)
        text = texts.pop(PARAMETERS, None)
        suffix, data = prepare(saving.image, saving.path.suffix, text, encoding=self._encoding, others=texts)
        saving.path = saving.path.with_suffix(suffix)
        return saving.path, data

    def written(self) -> None:
        """It stands at the path given last."""
        if self._onlooker is not None and self._last is not None:
            self._onlooker.saved(self._last)


def is_wanted(image: GeneratedImage, settings: Mapping[str, Any]) -> bool:
    """Whether `image` is to be saved, as far as the settings and whoever made it say."""
    if image.unsaved:
        return False
    if image.kind == "grid":
        return bool(settings["grid_save"])
    if image.kind == "mask":
        return bool(settings["save_mask"])
    if image.kind == "mask-composite":
        return bool(settings["save_mask_composite"])
    if image.kind in ("control", "script"):
        return False
    return bool(settings["samples_save"] and (image.complete or settings["save_incomplete_images"]))


def subject_of(result: GenerationResult, image: GeneratedImage, number: int, settings: Mapping[str, Any]) -> Subject:
    """What file names can say about picture `number` of `result`."""
    request = result.request
    return Subject(
        prompt=image.prompt,
        negative_prompt=image.negative_prompt,
        seed=image.seed,
        seeds=result.seeds,
        number=number,
        batch_size=request.batch_size,
        n_iter=request.n_iter,
        steps=request.steps,
        cfg_scale=request.cfg_scale,
        width=image.image.width,
        height=image.image.height,
        styles=request.styles,
        sampler=request.sampler,
        scheduler=str(result.extra.get("Schedule type") or request.scheduler),
        model_name=str(result.model.get("name") or ""),
        model_hash=str(result.model.get("hash") or ""),
        vae_filename=str(result.model.get("vae_name") or ""),
        clip_skip=settings["CLIP_stop_at_last_layers"],
        denoising_strength=request.denoising_strength,
        max_words=int(settings["directories_max_prompt_words"]),
        image=image.image,
    )


def with_grid(result: GenerationResult, settings: Mapping[str, Any]) -> GenerationResult:
    """`result` with a grid of all its pictures before them, if the settings ask for one to be shown or saved."""
    images = [image for image in result.images if image.kind not in ("before", "control")]
    alone = len(images) < 2 and settings["grid_only_if_multiple"]
    if not images or alone or not (settings["return_grid"] or settings["grid_save"]):
        return result
    rows = grid_rows(
        len(images),
        rows=int(settings["n_rows"]),
        batch_size=result.request.batch_size,
        no_gaps=settings["grid_prevent_empty_spots"],
    )
    sheet = image_grid([image.image for image in images], rows, background=settings["grid_background_color"])
    grid = dataclasses.replace(images[0], image=sheet, kind="grid", suffix="", complete=True)
    return dataclasses.replace(result, images=(grid, *result.images))
