"""Depth maps by networks that the user puts in place, read by transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modules.control.preprocessor import Bytes, Preprocessor, Wish, at_resolution, grey_as_colour
from modules.terms.errors import BadRequest

FOLDER = "models/ControlNetPreprocessor"
NEEDED = ("config.json", "preprocessor_config.json", "model.safetensors")


def depth_by(name: str, source: str) -> Preprocessor:
    """A preprocessor whose network lies in the folder `name`; `source`: where a person gets it."""

    def run(picture: Bytes, wish: Wish) -> Bytes:
        return grey_as_colour(depth_of(picture, folder_of(wish.models, name, source)))

    internal = "depth" if name == "depth_midas" else name
    label = name if internal != name else ""
    return Preprocessor(internal, at_resolution(run), ("Depth",), label, first=internal == "depth")


def folder_of(models: Path | None, name: str, source: str) -> Path:
    """The folder of the network. Raises: BadRequest saying which file is missing, and where it goes."""
    folder = (models or Path(FOLDER)) / name
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if missing:
        raise BadRequest(
            f"The preprocessor {name} needs a network that is not here: {', '.join(missing)} of {source} "
            f"belong in {folder}. Or send a finished depth map with the module 'none'."
        )
    return folder


def depth_of(picture: Bytes, folder: Path) -> Bytes:
    """(h, w): near is white. `picture`: (h, w, 3). Raises: BadRequest if the folder holds no network for depth."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    try:
        prepare = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        network = AutoModelForDepthEstimation.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise BadRequest(f"The network in {folder} cannot be read: {str(error).splitlines()[0]}") from error
    with torch.no_grad():
        found = network(**prepare(images=picture, return_tensors="pt")).predicted_depth
    size = picture.shape[:2]
    depth = torch.nn.functional.interpolate(found[None].float(), size=size, mode="bicubic")[0, 0].numpy()
    if bool(getattr(network.config, "depth_estimation_type", "") == "metric"):
        depth = -depth  # metres from the eye, where the others say nearness
    low, high = np.percentile(depth, 0.5), np.percentile(depth, 99.5)
    if high <= low:
        return np.zeros(size, np.uint8)
    return np.asarray(((depth - low) / (high - low) * 255).clip(0, 255), np.uint8)


DEPTH = (
    depth_by("depth_midas", "https://huggingface.co/Intel/dpt-hybrid-midas"),
    depth_by("depth_anything", "https://huggingface.co/LiheYoung/depth-anything-large-hf"),
    depth_by("depth_anything_v2", "https://huggingface.co/depth-anything/Depth-Anything-V2-Small-hf"),
    depth_by("depth_zoe", "https://huggingface.co/Intel/zoedepth-nyu-kitti"),
)
