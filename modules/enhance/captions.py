"""What puts a picture into words. No model for it comes with the studio; each entry says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from modules.terms.errors import NotFound
from modules.terms.registry import Registry


@dataclass(frozen=True)
class Captioner:
    """`read(picture)` is its caption. None while there is no model for it: then `lacks` says so."""

    name: str
    read: Callable[[Image.Image], str] | None = None
    aliases: tuple[str, ...] = ()
    lacks: str = ""

    def caption(self, image: Image.Image) -> str:
        """The words for `image`. Raises: NotFound saying what is missing."""
        if self.read is None:
            raise NotFound(self.lacks)
        return self.read(image)


def captioners() -> Registry[Captioner]:
    """A fresh list of A1111's two: sentences and tags."""
    found: Registry[Captioner] = Registry("interrogation model")
    found.add(
        Captioner(
            "BLIP",
            aliases=("clip",),
            lacks="Pictures cannot be described in sentences yet: there is no BLIP model here, and none is downloaded.",
        )
    )
    found.add(
        Captioner(
            "Deepbooru",
            aliases=("deepdanbooru", "deepbooru tags"),
            lacks="Pictures cannot be tagged yet: there is no DeepDanbooru model here, and none is downloaded.",
        )
    )
    return found


def merged(old: str, new: str, action: str) -> str:
    """The caption to keep where there is one already. `action`: "Ignore" (the new one), "Keep" (the old one),
    "Prepend" (new before old) or "Append" (new after old). Source: setting postprocessing_existing_caption_action."""
    old, new = old.strip(), new.strip()
    if not old or not new:
        return new or old
    if action == "Keep":
        return old
    if action in ("Prepend", "Append"):
        return f"{new} {old}" if action == "Prepend" else f"{old} {new}"
    return new
