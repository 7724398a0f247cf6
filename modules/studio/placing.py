"""The folder in which a file belongs, and taking it there: never over another file, never out of the known folders."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from modules.checkpoints.inspect import FileReport, inspect_file
from modules.checkpoints.notes import companions_of
from modules.studio.flag_table import Flags
from modules.terms.atomic import creating, publish
from modules.terms.errors import BadRequest, NotFound, Refused

MODEL_ENDINGS = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin")
LONGEST_NAME = 200
# Names that Windows keeps for devices, whatever stands behind the dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')

# Kind of a file (FileReport.kind) -> its folder.
FOLDERS: Mapping[str, Callable[[Flags], Path]] = {
    "checkpoint": lambda flags: flags.ckpt_folders[0],
    "vae": lambda flags: flags.vae_folders[0],
    "network": lambda flags: flags.lora_folders[0],
    "embedding": lambda flags: flags.embedding_folders[0],
    "hypernetwork": lambda flags: flags.hypernetwork_folders[0],
    "controlnet": lambda flags: flags.control_folders[0],
    "ip-adapter": lambda flags: flags.control_folders[0],
    "t2i-adapter": lambda flags: flags.control_folders[0],
    "upscaler": lambda flags: flags.esrgan_models_path,
    "face restorer": lambda flags: flags.gfpgan_models_path,
    "text encoder": lambda flags: flags.text_encoder_folders[0],
    "clip vision": lambda flags: flags.models_dir / "clip_vision",
    "taesd": lambda flags: flags.taesd_folders[0],
    "detector": lambda flags: flags.models_dir / "adetailer",
}


def folder_for(kind: str, flags: Flags) -> Path | None:
    """Where files of this kind go; None if there is no place for them."""
    place = FOLDERS.get(kind)
    return place(flags) if place else None


def known_folders(flags: Flags) -> tuple[Path, ...]:
    """Every folder in which models may lie: the studio's and those of other programs."""
    own = (flags.models_dir, flags.embeddings_dir, *(place(flags) for place in FOLDERS.values()))
    searched = (
        *(*flags.ckpt_folders, *flags.vae_folders, *flags.lora_folders, *flags.embedding_folders),
        *(*flags.hypernetwork_folders, *flags.control_folders, *flags.upscaler_folders, *flags.face_folders),
        *(*flags.text_encoder_folders, *flags.taesd_folders),
    )
    return tuple(dict.fromkeys((*own, *searched)))


def known_file(text: str, flags: Flags) -> Path:
    """The model file that `text` names, absolute or below the data folder.

    Raises: NotFound if it is not there; Refused if it lies in none of the folders of models, or is no model by name.
    """
    if "\0" in text:
        raise BadRequest("A path has no zero bytes in it.")
    # abspath and not resolve: a link inside a known folder may lead to another disk, as people do it.
    path = _without_steps_back(flags.data_dir / text)
    folders = known_folders(flags)
    if not any(path.is_relative_to(folder) for folder in folders):
        raise Refused("Only files in the folders of models are looked at. Drop the file on the page instead.")
    if not path.name.lower().endswith(MODEL_ENDINGS):
        raise Refused(f"{path.name} has none of the endings of model files: {', '.join(MODEL_ENDINGS)}.")
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    return path


def _without_steps_back(path: Path) -> Path:
    parts: list[str] = []
    for part in path.absolute().parts:
        if part == "..":
            parts = parts[:-1] if len(parts) > 1 else parts
        else:
            parts.append(part)
    return Path(*parts)


def safe_name(name: str) -> str:
    """A file name that is safe in every system, made of what somebody else called it.

    Raises: Refused if no name of a model file is left.
    """
    name = _UNFIT.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, ending = name.rpartition(".")
    if f".{ending.lower()}" not in MODEL_ENDINGS or not stem.strip("._ "):
        raise Refused(f"{name or 'A file without a name'} is no model file. Known endings: {', '.join(MODEL_ENDINGS)}.")
    while len(f"{stem}.{ending}".encode()) > LONGEST_NAME:
        stem = stem[:-1]
    if _DEVICES.fullmatch(name):
        stem = f"_{stem}"
    return f"{stem}.{ending}"


def free_names(path: Path) -> Iterator[Path]:
    """`path`, then "name (2)" and so on."""
    yield path
    for number in range(2, 1000):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def publish_free(draft: Path, wanted: Path) -> Path:
    """Gives the finished file `draft` the name `wanted`, or one like it if that is taken. Returns: that path."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for path in free_names(wanted):
        try:
            publish(draft, path)
        except FileExistsError:
            continue
        return path
    raise Refused(f"There are too many files called {wanted.name} in {wanted.parent}.")


def place(path: Path, flags: Flags, report: FileReport | None = None) -> Path:
    """Takes the model `path`, with what stands beside it, to the folder in which it belongs. Returns: where it is now.

    A file that lies in a fitting folder already stays. Raises: as `inspect_file`; Refused if there is no place for its
    kind, or a file of its name is there.
    """
    report = report or inspect_file(path)
    folder = folder_for(report.kind, flags)
    if folder is None:
        raise Refused(f"{report.sentence} There is no folder for such files.")
    if any(path.is_relative_to(fitting) for fitting in _fitting(report.kind, flags)):
        return path
    target = folder / path.name
    if target.exists():
        raise Refused(f"There is a {path.name} in {folder} already. Rename one of them first.")
    if path.is_symlink():
        raise Refused(f"{path.name} is a link to a file elsewhere. Move that file, or the link, by hand.")
    beside = companions_of(path)
    folder.mkdir(parents=True, exist_ok=True)
    _move(path, target)
    for companion in beside:
        if not (folder / companion.name).exists():
            _move(companion, folder / companion.name)
    return target


def _fitting(kind: str, flags: Flags) -> tuple[Path, ...]:
    folders = {
        "checkpoint": flags.ckpt_folders,
        "vae": (*flags.vae_folders, *flags.ckpt_folders),
        "network": flags.lora_folders,
        "embedding": flags.embedding_folders,
        "hypernetwork": flags.hypernetwork_folders,
        "upscaler": flags.upscaler_folders,
        "face restorer": flags.face_folders,
        "text encoder": (*flags.text_encoder_folders, *flags.ckpt_folders),
        "taesd": flags.taesd_folders,
        **dict.fromkeys(("controlnet", "ip-adapter", "t2i-adapter"), flags.control_folders),
    }
    own = folder_for(kind, flags)
    return folders.get(kind, (own,) if own else ())


def _move(source: Path, target: Path) -> None:
    """Raises: Refused if `target` exists by then."""
    try:
        if source.stat().st_dev == target.parent.stat().st_dev:
            publish(source, target)
            return
        with creating(target) as draft:  # on another disk
            shutil.copy2(source, draft)
    except FileExistsError:
        raise Refused(f"There is a {target.name} in {target.parent} already. Rename one of them first.") from None
    source.unlink()
