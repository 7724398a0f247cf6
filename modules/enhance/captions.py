"""What puts a picture into words, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from modules.enhance.caption_files import SENTENCES, TAGS
from modules.enhance.caption_models import CaptionModels
from modules.settings.store import Settings
from modules.terms.registry import Registry

# Every model looks at a few hundred pixels; some pad the picture to a square before that.
LONGEST_SIDE = 2048


def small_enough(image: Image.Image) -> Image.Image:
    """`image`, made smaller if a side is longer than any model sees."""
    if max(image.size) <= LONGEST_SIDE:
        return image
    shown = image.convert("RGBA" if image.has_transparency_data else "RGB")
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return shown


@dataclass(frozen=True)
class Captioner:
    """`read(picture)` is its caption."""

    name: str
    read: Callable[[Image.Image], str]
    aliases: tuple[str, ...] = ()

    def caption(self, image: Image.Image) -> str:
        """The words for `image`. Raises: NotFound saying which files are missing and where they go; UnknownFile."""
        return self.read(small_enough(image))


def captioners(models: CaptionModels | None = None, settings: Mapping[str, Any] | None = None) -> Registry[Captioner]:
    """A fresh list of A1111's two, sentences and tags, over the files that `models` finds, under `settings`."""
    of, under = models or CaptionModels(), settings if settings is not None else Settings()
    found: Registry[Captioner] = Registry("interrogation model")
    found.add(Captioner(SENTENCES.name, lambda picture: of.sentence(picture, under), aliases=("clip",)))
    found.add(Captioner(TAGS.name, lambda picture: of.tags(picture, under), aliases=("deepdanbooru", "deepbooru tags")))
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
