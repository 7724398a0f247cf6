"""What Interrogate asks for: words for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class CaptionRequest:
    """`model`: the name or an alias of an interrogation model."""

    image: Image
    model: str = "clip"

    def check(self) -> None:
        """Raises: BadRequest for a picture without pixels."""
        if not self.image.width or not self.image.height:
            raise BadRequest("The picture to be described has no pixels.")
