"""What a picture of another program tells, and how it becomes infotext."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modules.generation.infotext import write
from modules.generation.sampler_names import SamplerNames
from modules.terms.errors import NotFound

LARGEST_TEXT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Told:
    """Prompts and infotext entries; those that are None are left out. Steps comes first, or Civitai reads nothing."""

    program: str
    prompt: str = ""
    negative_prompt: str = ""
    entries: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        entries = {"Steps": None, **self.entries, "Version": self.entries.get("Version") or self.program}
        return write(self.prompt, self.negative_prompt, entries)


def json_object(text: object) -> dict[str, Any] | None:
    """The JSON object in `text`, None if it is none."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str) or len(text) > LARGEST_TEXT or not text.lstrip().startswith("{"):
        return None
    try:
        # Some programs write NaN for what never changes, which json reads, and others end the text with a zero.
        found = json.loads(text.rstrip("\0"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def sampler_entries(sampler: object, schedule: object = "", names: SamplerNames | None = None) -> dict[str, str]:
    """`Sampler` and `Schedule type` under our labels; under their own where we have no such."""
    names = names or SamplerNames()
    sampler, schedule = str(sampler or ""), str(schedule or "")
    found: dict[str, str] = {}
    if sampler:
        label = names.sampler(sampler)
        try:
            label, split = (label, "") if label else names.resolve(sampler, automatic=False)
        except NotFound:
            label, split = sampler, ""
        found["Sampler"] = label
        schedule = split if split not in ("", "Automatic") else schedule
    if schedule:
        try:
            found["Schedule type"] = names.schedule(schedule)
        except NotFound:
            found["Schedule type"] = schedule
    return found


def size_entry(width: object, height: object) -> dict[str, str]:
    try:
        return {"Size": f"{int(width)}x{int(height)}"}  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return {}


def number(value: object) -> int | float | None:
    """`value` if it is a finite number, or text that is one."""
    if isinstance(value, bool):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    if found - found != 0:
        return None
    return value if isinstance(value, (int, float)) else int(found) if found.is_integer() else found


def stem(name: object) -> str | None:
    """The name of a model file without folder and suffix, as infotext has it."""
    text = str(name or "").replace("\\", "/").rsplit("/", 1)[-1]
    for suffix in (".safetensors", ".ckpt", ".pt", ".pth", ".sft", ".gguf"):
        text = text.removesuffix(suffix)
    return text or None


def lora_tag(name: object, weight: object) -> str:
    """`<lora:name:weight>`, "" without a name."""
    known = stem(name)
    strength = number(weight)
    return f"<lora:{known}:{1 if strength is None else strength:g}>" if known else ""
