"""What the page's prompts ask for: suggestions while typing, and what a dropped picture says."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from modules.generation.foreign.texts import infotext_of
from modules.imaging.files import open_image
from modules.imaging.metadata import read_metadata
from modules.sdapi.needs import Studio
from modules.studio.completion import LIMIT, Completion

PREFIX = "/internal/prompt"
# No prompt's last word is longer; what is before it does not matter.
LONGEST = 500


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["prompt"])
    completion = Completion(studio)

    @router.get("/suggestions")
    def suggestions(before: str, limit: int = LIMIT) -> dict[str, Any]:
        """What may be meant by the end of `before`, a prompt as far as the cursor.

        `length`: how many of its last letters a suggestion's `text` takes the place of.
        """
        found = completion.suggest(before[-LONGEST:], min(max(limit, 1), 100))
        return {"length": found.length, "items": [vars(item) for item in found.items]}

    @router.post("/picture")
    def picture(data: Annotated[bytes, Body(media_type="application/octet-stream")]) -> dict[str, str]:
        """How the picture in the body was made, as infotext; "" if it does not say."""
        return {"text": infotext_of(read_metadata(open_image(data))) or ""}

    return router
