"""Fooocus: JSON in `parameters` (or in the EXIF comment) beside `fooocus_scheme`. Its other scheme is A1111's text."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from modules.generation.foreign.told import Told, json_object, lora_tag, number, sampler_entries, size_entry, stem

STEPS = {"quality": 60, "speed": 30, "extreme speed": 8, "lightning": 4, "hyper-sd": 4}


def read(items: Mapping[str, str], size: tuple[int, int]) -> Told | None:
    """What the picture tells, None if it is not in the scheme of Fooocus."""
    for name in ("parameters", "Comment", "exif comment"):
        found = json_object(items.get(name))
        if found is not None:
            # Its first versions used the labels of the page: "Base Model", "Guidance Scale".
            values = {str(key).lower().replace(" ", "_"): value for key, value in found.items()}
            if "base_model" in values and ("performance" in values or "full_prompt" in values):
                return _told(values, size)
    return None


def _told(values: Mapping[str, Any], size: tuple[int, int]) -> Told:
    loras = _loras(values)
    resolution = _literal(values.get("resolution"))
    if not isinstance(resolution, (tuple, list)) or len(resolution) != 2:
        resolution = size
    refiner = stem(values.get("refiner_model"))
    prompt = str(values.get("prompt") or _first(values.get("full_prompt")))
    hashes = ", ".join(f"{stem(name)}: {hash}" for name, _, hash in loras if hash)
    return Told(
        "Fooocus",
        " ".join(filter(None, [prompt, *(lora_tag(name, weight) for name, weight, _ in loras)])),
        str(values.get("negative_prompt") or _first(values.get("full_negative_prompt"))),
        {
            "Steps": number(values.get("steps")) or STEPS.get(str(values.get("performance", "")).lower()),
            **sampler_entries(values.get("sampler"), values.get("scheduler")),
            "CFG scale": number(values.get("guidance_scale")),
            "Seed": number(values.get("seed")),
            **size_entry(*resolution),
            "Model hash": values.get("base_model_hash"),
            "Model": stem(values.get("base_model")),
            "VAE": _unless_default(values.get("vae")),
            "Clip skip": number(values.get("clip_skip")),
            "Lora hashes": hashes or None,
            "Refiner": refiner if refiner not in (None, "None") else None,
            "Refiner switch at": number(values.get("refiner_switch")) if refiner not in (None, "None") else None,
            "Fooocus styles": _listed(values.get("styles")),
            "Performance": values.get("performance"),
            "Sharpness": number(values.get("sharpness")),
            "ADM guidance": values.get("adm_guidance"),
            "Version": values.get("version"),
        },
    )


def _loras(values: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """(file, weight, hash) of each, from a list or from "LoRA 1": "name : 0.5"."""
    found = []
    listed = values.get("loras")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, (list, tuple)) and len(one) >= 2 and str(one[0]) != "None":
            found.append((str(one[0]), one[1], str(one[2]) if len(one) > 2 else ""))
    for key, value in values.items():
        if re.fullmatch(r"lora_\d+|lora_combined_\d+", key):
            name, _, weight = str(value).rpartition(" : ")
            if name and name != "None":
                found.append((name, weight, ""))
    return found


def _literal(value: object) -> object:
    """Tuples and lists that were written as Python text."""
    if not isinstance(value, str) or len(value) > 10_000:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _listed(value: object) -> str | None:
    names = _literal(value)
    return ", ".join(map(str, names)) if isinstance(names, (list, tuple)) and names else None


def _first(value: object) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value or "")


def _unless_default(name: object) -> str | None:
    return None if not name or str(name).startswith("Default") else str(name)
