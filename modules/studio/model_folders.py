"""Folders with models that other programs use: they are read where they are, nothing is copied.

A folder is pointed to by a setting; ComfyUI's `extra_model_paths.yaml` is understood as ComfyUI understands it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("atelier.models")

YAML = "extra_model_paths.yaml"
MAX_YAML = 1 << 20
# ComfyUI's name of a kind of model -> ours.
COMFY_KINDS = {
    "checkpoints": "checkpoints",
    "unet": "checkpoints",
    "diffusion_models": "checkpoints",
    "vae": "vae",
    "loras": "loras",
    "embeddings": "embeddings",
    "hypernetworks": "hypernetworks",
    "controlnet": "controlnet",
    "t2i_adapter": "controlnet",
    "upscale_models": "upscalers",
    "clip": "text_encoders",
    "text_encoders": "text_encoders",
    "clip_vision": "clip_vision",
    "vae_approx": "taesd",
}
# Where A1111 and Forge keep them, below the program's folder.
A1111_FOLDERS = {
    "checkpoints": ("models/Stable-diffusion",),
    "vae": ("models/VAE",),
    "loras": ("models/Lora", "models/LyCORIS"),
    "embeddings": ("embeddings",),
    "hypernetworks": ("models/hypernetworks",),
    "controlnet": ("models/ControlNet", "extensions/sd-webui-controlnet/models"),
    "upscalers": tuple(
        f"models/{name}" for name in ("ESRGAN", "RealESRGAN", "BSRGAN", "DAT", "SwinIR", "ScuNET", "HAT")
    ),
    "text_encoders": ("models/text_encoder",),
    "taesd": ("models/VAE-taesd", "models/VAE-approx"),
    "faces": ("models/GFPGAN", "models/Codeformer", "models/RestoreFormer"),
}


@dataclass(frozen=True)
class ModelFolders:
    """Folders of other programs by kind of model. `first`: those of them that come before the studio's own."""

    checkpoints: tuple[Path, ...] = ()
    vae: tuple[Path, ...] = ()
    loras: tuple[Path, ...] = ()
    embeddings: tuple[Path, ...] = ()
    hypernetworks: tuple[Path, ...] = ()
    controlnet: tuple[Path, ...] = ()
    upscalers: tuple[Path, ...] = ()
    text_encoders: tuple[Path, ...] = ()
    clip_vision: tuple[Path, ...] = ()
    taesd: tuple[Path, ...] = ()
    faces: tuple[Path, ...] = ()
    first: frozenset[Path] = frozenset()

    @property
    def kinds(self) -> dict[str, tuple[Path, ...]]:
        """Kind -> its folders."""
        return {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self) if entry.name != "first"}

    def __add__(self, other: ModelFolders) -> ModelFolders:
        """These, then those of `other` that are not among them."""
        both: dict[str, Any] = {
            kind: tuple(dict.fromkeys((*mine, *other.kinds[kind]))) for kind, mine in self.kinds.items()
        }
        return ModelFolders(**both, first=self.first | other.first)

    def around(self, kind: str, own: Iterable[Path]) -> tuple[Path, ...]:
        """The studio's `own` folders of this kind with these before and after them, each once."""
        folders = self.kinds[kind]
        before = [folder for folder in folders if folder in self.first]
        return tuple(dict.fromkeys((*before, *own, *folders)))


def folders_below(program: Path) -> ModelFolders:
    """The model folders of a ComfyUI, A1111 or Forge in `program`, or of its `models` folder; none if it has none.

    What ComfyUI's own `extra_model_paths.yaml` adds there is included.
    """
    program = program.expanduser().absolute()
    if program.name == "models" and not (program / "models").is_dir():
        program = program.parent
    models = program / "models"
    of_comfy: dict[str, list[Path]] = {}
    for theirs, ours in COMFY_KINDS.items():
        if (models / theirs).is_dir() and theirs != "hypernetworks":
            of_comfy.setdefault(ours, []).append(models / theirs)
    of_a1111 = {kind: [program / place for place in places] for kind, places in A1111_FOLDERS.items()}
    found = _there(of_comfy) + _there(of_a1111)
    return found + read_extra_model_paths(program / YAML) if (program / YAML).is_file() else found


def read_extra_model_paths(file: Path) -> ModelFolders:
    """The folders that an `extra_model_paths.yaml` names; those of a section with `is_default` are `first`.

    Paths are relative to the section's `base_path`, and that to the file; `~` and variables are filled in; a value may
    be several lines. Sections and keys that are not known are passed over. A file that cannot be read is logged, and
    names none.
    """
    import yaml

    try:
        if file.stat().st_size > MAX_YAML:
            raise ValueError("it is too large")
        sections = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        log.warning("%s is not used: %s", file, error)
        return ModelFolders()
    found = ModelFolders()
    for section in (sections if isinstance(sections, Mapping) else {}).values():
        if isinstance(section, Mapping):
            found += _of_section(section, file.absolute().parent)
    return found


def _of_section(section: Mapping[str, object], here: Path) -> ModelFolders:
    base = _expanded(section.get("base_path"), here)
    folders: dict[str, list[Path]] = {}
    for key, value in section.items():
        if key in COMFY_KINDS and isinstance(value, str):
            # ComfyUI's own example has remarks inside such values, where YAML knows none.
            lines = (line.partition(" #")[0].strip() for line in value.splitlines())
            folders.setdefault(COMFY_KINDS[key], []).extend(_expanded(line, base) for line in lines if line)
    found = _there(folders)
    if section.get("is_default") is not True:
        return found
    return dataclasses.replace(found, first=frozenset(path for paths in found.kinds.values() for path in paths))


def _expanded(text: object, base: Path) -> Path:
    return base / Path(os.path.expandvars(text)).expanduser() if isinstance(text, str) and text else base


def _there(folders: Mapping[str, Iterable[Path]]) -> ModelFolders:
    """Those of `folders` that exist; of two names of one folder the first."""
    kinds: dict[str, Any] = {}
    for kind, places in folders.items():
        real = {place.resolve(): place for place in reversed([place for place in places if place.is_dir()])}
        kinds[kind] = tuple(reversed(real.values()))
    return ModelFolders(**kinds)


def more_folders(programs: str, files: Iterable[Path]) -> ModelFolders:
    """The folders of every program that `programs` names, one in a line, and of the yaml `files` that are there."""
    found = ModelFolders()
    for line in filter(None, map(str.strip, programs.splitlines())):
        of_program = folders_below(Path(line))
        if not any(of_program.kinds.values()):
            log.warning("No models are found in %s, which the settings name as another program's folder.", line)
        found += of_program
    for file in files:
        found += read_extra_model_paths(file) if file.is_file() else ModelFolders()
    return found
