"""Folders of diffusers as one model: `model_index.json` names the parts, each in a folder of its own.

A tensor's key is the part's folder, a dot, and its key there: "unet.conv_in.weight". Metadata hold the configs, under
"config." and the part's name, and what the scheduler says in the words that single files use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from modules.checkpoints.tensor_info import TensorInfo
from modules.terms.errors import UnknownFile

INDEX = "model_index.json"
PIPELINE = "diffusers.pipeline"
CONFIG = "config."
# Parts that no picture is drawn with.
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
# diffusers' name for weights, transformers' name for weights.
STEMS = ("diffusion_pytorch_model", "model")


# The denoising network, by which a model is known.
DENOISERS = ("transformer", "unet")


class PartHeader(Protocol):
    @property
    def tensors(self) -> Mapping[str, TensorInfo]: ...


def is_folder(path: Path) -> bool:
    """Whether `path` is a model in the form of a folder."""
    return (path / INDEX).is_file()


def identity_file(path: Path) -> Path:
    """The file whose hash is that of the model `path`: itself, or the first one of a folder's denoising network."""
    if not path.is_dir():
        return path
    found = (file for part in DENOISERS for file in _weights(path / part))
    return next(found, path / INDEX)


def read_folder(path: Path, read: Callable[[Path], PartHeader]) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """Tensors (each with its `file`) and metadata of the folder `path`. read: the header of one file.

    Raises: UnknownFile if a part has no weights that can be read.
    """
    index = _json(path / INDEX)
    tensors: dict[str, TensorInfo] = {}
    metadata = {PIPELINE: str(index.get("_class_name", ""))}
    for part, named in index.items():
        if part.startswith("_") or part in LEFT_OUT or not isinstance(named, list) or not (path / part).is_dir():
            continue
        for name in ("config.json", "scheduler_config.json"):
            if (path / part / name).is_file():
                metadata[f"{CONFIG}{part}"] = (path / part / name).read_text(encoding="utf-8")
        for file in _weights(path / part):
            where = file.relative_to(path).as_posix()
            for key, info in read(file).tensors.items():
                beside = {name: replace(one, file=where) for name, one in info.beside.items()}
                tensors[f"{part}.{key}"] = replace(info, file=where, beside=beside)
    return tensors, metadata | _said_by_scheduler(metadata)


def config_of(metadata: Mapping[str, str], part: str) -> dict[str, Any] | None:
    """The config of a part of a folder, without diffusers' own notes; None if the model is no folder or lacks it."""
    text = metadata.get(f"{CONFIG}{part}")
    if text is None:
        return None
    found = json.loads(text)
    return {name: value for name, value in found.items() if not name.startswith("_")}


def pipeline_of(metadata: Mapping[str, str]) -> str:
    """Which pipeline of diffusers a folder is for, "" if the model is no folder."""
    return metadata.get(PIPELINE, "")


def _weights(folder: Path) -> Iterator[Path]:
    """The files that together hold one part: the plain ones, else those of one variant ("fp16" …)."""
    files = sorted(file for file in folder.glob("*.safetensors") if file.name.startswith(STEMS))
    if not files:
        if any(folder.glob("*.bin")):
            raise UnknownFile(
                f"{folder.parent.name}: the weights of {folder.name} are pickles (.bin). Get the .safetensors version."
            )
        return iter(())
    variants = {file: _variant(file.name) for file in files}
    chosen = min(variants.values(), key=lambda variant: (variant != "", variant))
    return (file for file in files if variants[file] == chosen)


def _variant(name: str) -> str:
    """ "fp16" of "model.fp16-00001-of-00002.safetensors" and "model.fp16.safetensors", "" of those without."""
    parts = name.removesuffix(".safetensors").split(".")
    return parts[1].split("-")[0] if len(parts) > 1 else ""


def _said_by_scheduler(metadata: Mapping[str, str]) -> dict[str, str]:
    scheduler = config_of(metadata, "scheduler") or {}
    said = {}
    if isinstance(scheduler.get("prediction_type"), str):
        said["modelspec.prediction_type"] = scheduler["prediction_type"]
    if scheduler.get("rescale_betas_zero_snr"):
        said["ss_zero_terminal_snr"] = "true"
    return said


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise UnknownFile(f"{path.parent.name}: {path.name} cannot be read. Download the folder again.")
    return found
