"""LoRA tags of foreign prompts, renamed to what the same files are called here.

Source: spec/infotext.md §4.9.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

# The SHA-256 of nothing: some programs recorded it for every network.
HASH_OF_NOTHING = "e3b0c44298fc"
_HASHES = re.compile(r"\s*([^,:]+):\s*([0-9a-fA-F]+)\s*(?:,|$)")
_TAG = re.compile(r"<lora:([^:>]+)")
NOT_IN_HASHES = str.maketrans("", "", ":,")
PROMPTS = ("Prompt", "Hires prompt")
_ADDNET_MODEL = re.compile(r"(.*)\(([0-9a-fA-F]+)\)")


class Here(Protocol):
    """See resources.py."""

    @property
    def name(self) -> str: ...
    @property
    def differs(self) -> str: ...


FindLora = Callable[[str, str], "Here | None"]


def recorded_hashes(entries: Mapping[str, Any]) -> dict[str, str]:
    """The hashes that a text has, under the names that Civitai's `Hashes` gives them: "model", "vae", "lora:name",
    "embed:name". What A1111 writes in entries of its own counts before that."""
    found: dict[str, str] = {}
    try:
        listed = json.loads(str(entries.get("Hashes") or "{}"))
    except ValueError:
        listed = {}
    if isinstance(listed, dict):
        found.update({str(key): str(value) for key, value in listed.items()})
    for key, entry in (("model", "Model hash"), ("vae", "VAE hash")):
        if entries.get(entry):
            found[key] = str(entries[entry])
    for prefix, entry in (("lora:", "Lora hashes"), ("embed:", "TI hashes")):
        pairs = _HASHES.findall(str(entries.get(entry) or ""))
        found.update({prefix + name: hash for name, hash in pairs})
    return {key: "" if hash.startswith(HASH_OF_NOTHING) else hash.lower() for key, hash in found.items()}


def with_local_networks(entries: Mapping[str, Any], find: FindLora) -> tuple[dict[str, Any], list[str]]:
    """`entries` with the LoRA tags of all prompts under the names that `find(name, hash)` gives, and a note for each
    network that is not here, or is another one. Those keep their tag: nothing else is put in their place."""
    entries = _with_additional_networks(dict(entries))
    hashes = recorded_hashes(entries)
    names: dict[str, str] = {}
    notes = []
    for name in dict.fromkeys(_TAG.findall("".join(str(entries.get(key) or "") for key in PROMPTS))):
        hash = hashes.get(f"lora:{name.translate(NOT_IN_HASHES)}", "")
        here = find(name, hash)
        names[name] = name if here is None else here.name
        if here is None:
            notes.append(f"The LoRA {name!r}{f' ({hash})' if hash else ''} is not here.")
        elif here.differs:
            notes.append(
                f"The LoRA {name!r} is not the one of the picture: its hash is {here.differs}, the picture's {hash}."
            )
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
