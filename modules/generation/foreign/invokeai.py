"""InvokeAI: JSON in `invokeai_metadata`, in its first versions in `sd-metadata`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modules.generation.foreign.told import Told, json_object, lora_tag, number, sampler_entries, size_entry, stem

# Its names where they are neither ours nor ComfyUI's; a final _k means the Karras schedule.
SAMPLERS = {
    "dpmpp_2": "dpmpp_2m",
    "kdpm_2": "dpm_2",
    "kdpm_2_a": "dpm_2_a",
    "pndm": "plms",
    "euler_ancestral": "euler_a",
}


def read(items: Mapping[str, str], size: tuple[int, int]) -> Told | None:
    """What the picture tells, None if it is not InvokeAI's."""
    found = json_object(items.get("invokeai_metadata"))
    if found is not None:
        return _told(found, size)
    old = json_object(items.get("sd-metadata"))
    image = old.get("image") if old else None
    if not isinstance(image, dict):
        return None
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        prompt = " ".join(str(part.get("prompt", "")) for part in prompt if isinstance(part, dict))
    # There the negative prompt stands in square brackets within the prompt.
    negative = ", ".join(re.findall(r"\[([^\]]*)\]", str(prompt)))
    positive = re.sub(r"\s*\[[^\]]*\]", "", str(prompt))
    model = {"name": old.get("model_weights"), "hash": old.get("model_hash")} if old else {}
    values = {**image, "positive_prompt": positive, "negative_prompt": negative, "scheduler": image.get("sampler")}
    return _told({**values, "model": model}, size)


def _told(values: Mapping[str, Any], size: tuple[int, int]) -> Told:
    model = values.get("model") if isinstance(values.get("model"), dict) else {}
    vae = values.get("vae") if isinstance(values.get("vae"), dict) else {}
    sampler = str(values.get("scheduler") or "")
    schedule = "Karras" if sampler.endswith("_k") else ""
    sampler = sampler.removesuffix("_k")
    skipped = number(values.get("clip_skip"))
    return Told(
        "InvokeAI",
        " ".join(filter(None, [str(values.get("positive_prompt") or ""), *_lora_tags(values.get("loras"))])),
        str(values.get("negative_prompt") or ""),
        {
            "Steps": number(values.get("steps")),
            **sampler_entries(SAMPLERS.get(sampler, sampler), schedule),
            "CFG scale": number(values.get("cfg_scale")),
            "Seed": number(values.get("seed")),
            **size_entry(values.get("width") or size[0], values.get("height") or size[1]),
            "Model hash": _plain_hash(model),
            "Model": _name(model),
            "VAE": _name(vae),
            "Denoising strength": number(values.get("strength")),
            "Clip skip": skipped + 1 if skipped else None,
        },
    )


def _lora_tags(loras: object) -> list[str]:
    tags = []
    for one in loras if isinstance(loras, list) else []:
        if isinstance(one, dict):
            model = one.get("model") or one.get("lora")
            tags.append(lora_tag(_name(model), one.get("weight")) if isinstance(model, dict) else "")
    return tags


def _name(model: Any) -> str | None:
    return stem(model.get("name") or model.get("model_name")) if model else None


def _plain_hash(model: Any) -> str | None:
    """Ten digits of a SHA-256; InvokeAI mostly has other digests, which name no file elsewhere."""
    hash = str(model.get("hash") or "") if model else ""
    kind, _, digits = hash.rpartition(":")
    return digits[:10] if kind in ("", "sha256") and re.fullmatch(r"[0-9a-f]{10,64}", digits) else None
