"""LoRA tags of foreign prompts, renamed to what the same files are called here.

Source: spec/infotext.md §4.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

# The SHA-256 of nothing: some programs recorded it for every network.
HASH_OF_NOTHING = "e3b0c44298fc"
_HASHES = re.compile(r"\s*([^,:]+):\s*([0-9a-fA-F]+)\s*(?:,|$)")
_TAG = re.compile(r"<lora:([^:>]+)")
PROMPTS = ("Prompt", "Hires prompt")
_ADDNET_MODEL = re.compile(r"(.*)\(([0-9a-fA-F]+)\)")

FindLora = Callable[[str, str], "str | None"]


def with_local_networks(entries: Mapping[str, Any], find: FindLora) -> tuple[dict[str, Any], list[str]]:
    """`entries` with the LoRA tags of all prompts under the names that `find(name, hash)` gives, and a note for each
    network that is not here. Those keep their tag: nothing else is put in their place."""
    entries = _with_additional_networks(dict(entries))
    hashes = dict(_HASHES.findall(str(entries.get("Lora hashes") or "")))
    names: dict[str, str] = {}
    notes = []
    for name in dict.fromkeys(_TAG.findall("".join(str(entries.get(key) or "") for key in PROMPTS))):
        hash = hashes.get(name, "")
        here = find(name, "" if hash.startswith(HASH_OF_NOTHING) else hash)
        names[name] = here or name
        if here is None:
            notes.append(f"The LoRA {name!r}{f' ({hash})' if hash else ''} is not here.")
    for key in PROMPTS:
        if entries.get(key):
            entries[key] = _TAG.sub(lambda tag: f"<lora:{names[tag[1]]}", str(entries[key]))
    return entries, notes


def _with_additional_networks(entries: dict[str, Any]) -> dict[str, Any]:
    """LoRA as the extension "additional networks" wrote them, as tags at the end of the prompt."""
    if str(entries.get("AddNet Enabled")) != "True":
        return entries
    tags, hashes, number = [], [], 1
    while f"AddNet Model {number}" in entries:
        match = _ADDNET_MODEL.fullmatch(str(entries[f"AddNet Model {number}"]))
        if match and entries.get(f"AddNet Module {number}") == "LoRA":
            tags.append(f"<lora:{match[1]}:{entries.get(f'AddNet Weight A {number}', '1.0')}>")
            hashes.append(f"{match[1]}: {match[2]}")
        number += 1
    if tags:
        entries["Prompt"] = f"{entries.get('Prompt', '')}\n{''.join(tags)}"
        entries["Lora hashes"] = ", ".join(filter(None, [str(entries.get("Lora hashes") or ""), *hashes]))
    return {key: value for key, value in entries.items() if not key.startswith("AddNet ")}
