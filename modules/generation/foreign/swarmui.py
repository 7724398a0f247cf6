"""SwarmUI: JSON in `parameters` (or in the EXIF comment) under `sui_image_params`."""

from __future__ import annotations

from collections.abc import Mapping

from modules.generation.foreign.told import Told, json_object, lora_tag, number, sampler_entries, size_entry, stem


def read(items: Mapping[str, str], size: tuple[int, int]) -> Told | None:
    """What the picture tells, None if it is not SwarmUI's."""
    found = json_object(items.get("parameters")) or json_object(items.get("exif comment"))
    values = found.get("sui_image_params") if found else None
    if not isinstance(values, dict):
        return None
    loras, weights = values.get("loras"), values.get("loraweights")
    names = loras if isinstance(loras, list) else []
    strengths = weights if isinstance(weights, list) else []
    tags = [lora_tag(name, strengths[place] if place < len(strengths) else 1) for place, name in enumerate(names)]
    return Told(
        "SwarmUI",
        " ".join(filter(None, [str(values.get("prompt") or ""), *tags])),
        str(values.get("negativeprompt") or ""),
        {
            "Steps": number(values.get("steps")),
            **sampler_entries(values.get("sampler"), values.get("scheduler")),
            "CFG scale": number(values.get("cfgscale")),
            "Seed": number(values.get("seed")),
            **size_entry(values.get("width") or size[0], values.get("height") or size[1]),
            "Model": stem(values.get("model")),
            "VAE": stem(values.get("vae")),
            "Variation seed": number(values.get("variationseed")),
            "Variation seed strength": number(values.get("variationseedstrength")),
        },
    )
