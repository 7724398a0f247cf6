"""What a step of postprocessing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from modules.enhance.upscaler import Work
from modules.generation.tools import Tools
from modules.terms.extras import ExtrasRequest


@dataclass(frozen=True)
class Piece:
    """A picture on its way, and what was done to it.

    entries: for the text in the file, in the order in which they came up. tags: go into the name of the file.
    target: the size that later crops aim at, if one was named. caption: words to write beside the file.
    finished: no later step touches it (pictures that show how a crop was found).
    """

    image: Image.Image
    entries: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    target: tuple[int, int] | None = None
    caption: str = ""
    finished: bool = False

    def with_(self, image: Image.Image, entries: Mapping[str, Any] | None = None) -> Piece:
        """A copy that shows `image`, with further entries."""
        return replace(self, image=image, entries={**self.entries, **(entries or {})})

    def tagged(self, image: Image.Image, *tags: str) -> Piece:
        """A copy that shows `image` and bears further tags."""
        return replace(self, image=image, tags=(*self.tags, *tags))


@dataclass(frozen=True)
class Step:
    """`apply` makes one or more pieces of one. `order`: small numbers run first. `asked`: whether the request wants it.

    The name is A1111's, for the settings that order steps and leave some out. begin: called with each picture before
    any step works on it.
    """

    name: str
    order: int
    asked: Callable[[ExtrasRequest], bool]
    apply: Callable[[Piece, ExtrasRequest, Tools, Work], list[Piece]]
    begin: Callable[[Piece, ExtrasRequest], None] | None = None
