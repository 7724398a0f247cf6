"""What a list of jobs says about each, kept beside the request so that a long list decodes no request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modules.terms.extras import ExtrasRequest
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest, Hires

LONGEST_TEXT = 400
CHOSEN = ("model", "chosen_seed")


def brief_of(request: Any) -> dict[str, Any]:
    """`request` in a few words, as JSON; {} for a kind of request that is not known here.

    work: how much there is to do, comparable between jobs of one kind only (for pictures: pixels times steps).
    """
    if isinstance(request, GenerationRequest):
        return _of_generation(request)
    if isinstance(request, PictureBatch):
        brief = _of_generation(request.request)
        pictures = max(1, len(request.pictures))
        return {**brief, "pictures": pictures * brief["pictures"], "work": pictures * brief["work"]}
    if isinstance(request, ExtrasRequest):
        pictures = max(1, len(request.pictures))
        return {"pictures": pictures, "work": pictures}
    if isinstance(request, (MergeRequest, ExtractRequest)):
        return {"prompt": request.custom_name, "work": 1}
    return {}


def chosen_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a brief learns when its job is done (`record`: see record.py): the model and seed that were chosen."""
    model, seeds = record.get("model") or {}, record.get("seeds") or ()
    chosen = {"model": model.get("name"), "chosen_seed": seeds[0] if seeds else None}
    return {name: value for name, value in chosen.items() if value is not None}


def _of_generation(request: GenerationRequest) -> dict[str, Any]:
    pictures = request.batch_size * request.n_iter
    work = float(request.width * request.height * request.steps)
    if request.hires is not None:
        work += (
            request.width * request.height * _enlarged(request.hires, request) * (request.hires.steps or request.steps)
        )
    if request.source is not None:
        work *= request.denoising_strength if request.denoising_strength is not None else 0.75
    return {
        "prompt": request.prompt[:LONGEST_TEXT],
        "negative_prompt": request.negative_prompt[:LONGEST_TEXT],
        "checkpoint": request.checkpoint,
        "sampler": request.sampler,
        "scheduler": request.scheduler,
        "steps": request.steps,
        "cfg_scale": request.cfg_scale,
        "seed": request.seed,
        "width": request.width,
        "height": request.height,
        "hires": request.hires.scale if request.hires is not None else None,
        "pictures": pictures,
        "batches": request.n_iter,
        "work": work * pictures,
    }


def _enlarged(hires: Hires, request: GenerationRequest) -> float:
    """How many times as many pixels the hires pass has."""
    if hires.resize_x and hires.resize_y:
        return hires.resize_x * hires.resize_y / (request.width * request.height)
    if hires.resize_x or hires.resize_y:
        return (hires.resize_x / request.width or hires.resize_y / request.height) ** 2
    return hires.scale**2


def seconds_for(brief: Mapping[str, Any], rates: Mapping[str, float], kind: str) -> float | None:
    """How long a job will take by `rates` (kind -> seconds per work); None where nothing can be said."""
    work, rate = brief.get("work"), rates.get(kind)
    return float(work) * rate if work and rate is not None and math.isfinite(rate) else None
