"""What a merged checkpoint is called, and what its metadata say of how it was made: both as A1111 does it, so that
other programs can read them. Source: spec/features.md §7."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from modules.checkpoints.library import CheckpointInfo
from modules.terms.errors import BadRequest
from modules.terms.merging import ADD_DIFFERENCE, CONFIG_SOURCES, NO_INTERPOLATION, NOT_BAKED, MergeRequest

RECIPE, MODELS = "sd_merge_recipe", "sd_merge_models"


def merged_name(request: MergeRequest, models: Sequence[CheckpointInfo], variant: str = "") -> str:
    """The name of the file: the custom one, or the formula with the models' names. models: A, B, C as far as used."""
    stem = request.custom_name.strip() or _formula(request, [model.model_name for model in models])
    return ".".join(part for part in (stem, variant, request.file_format) if part)


def _formula(request: MergeRequest, names: Sequence[str]) -> str:
    amount = round(request.multiplier, 2)
    if request.method == NO_INTERPOLATION or len(names) == 1:
        return names[0]
    if request.method == ADD_DIFFERENCE and len(names) == 3:
        return f"{names[0]} + {amount}({names[1]} - {names[2]})"
    return f"{round(1 - request.multiplier, 2)}({names[0]}) + {amount}({names[1]})"


def path_for(folder: Path, name: str) -> Path:
    """Where a new file of that name goes. Raises: BadRequest if that is outside of `folder`, or taken."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or path.name.startswith("."):
        raise BadRequest(f"{name!r} is no name of a file in {folder.name}. Choose another name.")
    if path.exists():
        raise BadRequest(f"There is a {name!r} already. Choose another name.")
    return path


def merged_metadata(
    request: MergeRequest,
    models: Sequence[CheckpointInfo],
    variant: str,
    hashed: Callable[[CheckpointInfo], CheckpointInfo],
) -> dict[str, str]:
    """The metadata of the new file. `hashed`: the model with its SHA-256, which may take a while."""
    if not request.save_metadata:
        return {}
    metadata: dict[str, Any] = {"format": "pt"}
    if request.copy_metadata:
        for model in models:
            metadata.update(model.metadata)
    if request.add_recipe:
        known = [hashed(model) for model in models]
        metadata[MODELS] = _models(known)
        metadata[RECIPE] = _recipe(request, known, variant)
    metadata.update(request.own_metadata())
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}


def _recipe(request: MergeRequest, models: Sequence[CheckpointInfo], variant: str) -> dict[str, Any]:
    hashes = [model.sha256 for model in models] + [None] * 3
    recipe = {
        "type": "webui",
        "primary_model_hash": hashes[0],
        "secondary_model_hash": hashes[1],
        "tertiary_model_hash": hashes[2],
        "interp_method": request.method,
        "multiplier": request.multiplier,
        "save_as_half": request.number_format == "float16",
        "custom_name": request.custom_name,
        "config_source": CONFIG_SOURCES.index(request.config_source),
        "bake_in_vae": None if request.vae in NOT_BAKED else request.vae,
        "discard_weights": request.discard,
        "is_inpainting": variant == "inpainting",
        "is_instruct_pix2pix": variant == "instruct-pix2pix",
    }
    # Ours, where A1111 has nothing of the kind.
    own = {"block_weights": request.blocks, "loras": request.loras, "number_format": request.number_format}
    return {**recipe, **{key: value for key, value in own.items() if value}}


def _models(models: Sequence[CheckpointInfo]) -> dict[str, Any]:
    """SHA-256 -> what is known of each model that took part, those that were merged into them before included."""
    found: dict[str, Any] = {}
    for model in models:
        if model.sha256:
            found[model.sha256] = {
                "name": model.name,
                "legacy_hash": model.hash,
                RECIPE: model.metadata.get(RECIPE),
            }
        before = model.metadata.get(MODELS)
        found.update(before if isinstance(before, dict) else {})
    return found


def config_of(request: MergeRequest, models: Sequence[CheckpointInfo]) -> Path | None:
    """The `.yaml` beside a source that is to lie beside the new file, too."""
    chosen = {CONFIG_SOURCES[0]: models, "B": models[1:2], "C": models[2:3]}.get(request.config_source, [])
    beside = (model.path.with_suffix(".yaml") for model in chosen)
    return next((path for path in beside if path.is_file()), None)
