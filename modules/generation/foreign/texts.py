"""The one door: a picture's metadata -> its infotext, whoever made it."""

from __future__ import annotations

from modules.generation.foreign import comfyui, fooocus, invokeai, novelai, swarmui
from modules.generation.infotext import MIN_ENTRIES, take_apart
from modules.imaging.metadata import Metadata

# Those that keep JSON where A1111 keeps its text come before it, ComfyUI after: some of its nodes write that text, too.
BEFORE = (novelai.read, fooocus.read, swarmui.read, invokeai.read)


def infotext_of(metadata: Metadata) -> str | None:
    """The generation parameters of a picture as infotext, None if it tells nothing. Never raises.

    Reads A1111 and what writes as it does (Forge, Civitai, Fooocus' second scheme), NovelAI, Fooocus, SwarmUI,
    InvokeAI and ComfyUI.
    """
    for read in BEFORE:
        told = read(metadata.items, metadata.size)
        if told is not None:
            return told.text()
    own = metadata.text
    if own and len(take_apart(own).entries) >= MIN_ENTRIES:
        return own
    told = comfyui.read(metadata.items, metadata.size)
    return told.text() if told is not None else own
