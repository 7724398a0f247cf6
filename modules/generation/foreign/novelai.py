"""NovelAI: `Software: NovelAI`, the prompt in Description, the rest as JSON in Comment."""

from __future__ import annotations

from collections.abc import Mapping

from modules.generation.foreign.told import Told, json_object, sampler_entries, size_entry


def read(items: Mapping[str, str], size: tuple[int, int]) -> Told | None:
    """What the picture tells, None if it is not NovelAI's. A1111 adds the clip skip and ENSD that imitate it."""
    if not items.get("Software", "").startswith("NovelAI"):
        return None
    comment = json_object(items.get("Comment"))
    if comment is None:
        return None
    sampler = sampler_entries(comment.get("sampler"), comment.get("noise_schedule", ""))
    return Told(
        "NovelAI",
        str(items.get("Description") or comment.get("prompt") or ""),
        str(comment.get("uc") or ""),
        {
            "Steps": comment.get("steps"),
            "Sampler": sampler.get("Sampler", "Euler a"),
            "Schedule type": sampler.get("Schedule type"),
            "CFG scale": comment.get("scale"),
            "Seed": comment.get("seed"),
            **size_entry(*size),
            "Denoising strength": comment.get("strength"),
            "Clip skip": 2,
            "ENSD": 31337,
        },
    )
