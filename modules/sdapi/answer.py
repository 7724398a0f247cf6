"""The record of a job -> the answer of A1111's API, with every key of its `info` (spec: infotext.md, section 7)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from modules.sdapi.images import as_base64
from modules.sdapi.schemas import GenerationAnswer, GenerationBody
from modules.studio.job import Job

# Saved beside the pictures; part of what the API returns only if a setting says so, "" never.
RETURNED_IF = {"before": "", "mask": "return_mask", "mask-composite": "return_mask_composite"}
DESCRIBED = frozenset({"sample", "grid"})


def generation_answer(job: Job, body: GenerationBody, version: str) -> GenerationAnswer:
    """What a finished generation answers. Raises: NotFound if a picture has been removed meanwhile."""
    record = job.result or {"images": []}
    settings = record.get("settings", {})
    shown = [
        image
        for image in record["images"]
        if image["kind"] not in RETURNED_IF or settings.get(RETURNED_IF[image["kind"]])
    ]
    images = [as_base64(Path(image["path"])) for image in shown] if body.send_images else []
    info = info_of(record, version, job.started or job.submitted) if shown else {}
    return GenerationAnswer(images=images, parameters=echo(body), info=json.dumps(info, default=lambda value: None))


def as_response(answer: BaseModel) -> Response:
    """`answer` as JSON. For answers with pictures, to be called in a thread: FastAPI writes its own in the loop."""
    return Response(answer.model_dump_json(), media_type="application/json")


def echo(body: GenerationBody) -> dict[str, Any]:
    """The request as it was understood. Its pictures are left out unless `include_init_images` asks for them."""
    values = body.model_dump()
    if "include_init_images" in values and not values["include_init_images"]:
        values["init_images"] = values["mask"] = None
    if "firstpass_image" in values:
        values["firstpass_image"] = None
    return values


def info_of(record: Mapping[str, Any], version: str, started: float) -> dict[str, Any]:
    """`info`, before it becomes a string."""
    request, model, settings = record["request"], record["model"], record["settings"]
    images: Sequence[Mapping[str, Any]] = record["images"]
    samples = [image for image in images if image["kind"] == "sample"]
    first = samples[0] if samples else images[0]
    restores = bool(request["restore_faces"])
    return {
        "prompt": first["prompt"],
        "all_prompts": [image["prompt"] for image in samples],
        "negative_prompt": first["negative_prompt"],
        "all_negative_prompts": [image["negative_prompt"] for image in samples],
        "seed": record["seeds"][0] if record["seeds"] else first["seed"],
        "all_seeds": record["seeds"],
        "subseed": record["subseeds"][0] if record["subseeds"] else first["subseed"],
        "all_subseeds": record["subseeds"],
        "subseed_strength": request["subseed_strength"],
        "width": request["width"],
        "height": request["height"],
        "sampler_name": request["sampler"],
        "cfg_scale": request["cfg_scale"],
        "steps": request["steps"],
        "batch_size": request["batch_size"],
        "restore_faces": restores,
        "face_restoration_model": settings["face_restoration_model"] if restores else None,
        "sd_model_name": model.get("name"),
        "sd_model_hash": model.get("hash"),
        "sd_vae_name": model.get("vae_name"),
        "sd_vae_hash": model.get("vae_hash"),
        "seed_resize_from_w": request["seed_resize_from_w"],
        "seed_resize_from_h": request["seed_resize_from_h"],
        "denoising_strength": request["denoising_strength"],
        "extra_generation_params": record["extra"],
        "index_of_first_image": 1 if images and images[0]["kind"] == "grid" else 0,
        "infotexts": [image["infotext"] for image in images if image["kind"] in DESCRIBED],
        "styles": request["styles"],
        "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(started)),
        "clip_skip": settings["CLIP_stop_at_last_layers"],
        "is_using_inpainting_conditioning": bool(model.get("inpainting")),
        "version": version,
        # Ours, and only if something could not be honoured: A1111 tells it on the page alone.
        **({"comments": list(record["notes"])} if record.get("notes") else {}),
    }
