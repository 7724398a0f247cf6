"""What the page's prompts ask for: suggestions while typing, what a dropped picture says, and styles."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modules.generation.foreign.texts import infotext_of
from modules.imaging.files import open_image
from modules.imaging.metadata import read_metadata
from modules.prompt.styles import Style
from modules.sdapi.model_routes import decoded
from modules.sdapi.needs import Studio
from modules.sdapi.schemas import Body
from modules.studio.completion import LIMIT, Completion
from modules.terms.errors import BadRequest, NotFound

PREFIX = "/internal/prompt"
# No prompt's last word is longer; what is before it does not matter.
LONGEST = 500


class PictureBody(Body):
    """`data`: the picture's file in base64."""

    data: str


class StyleName(Body):
    name: str


class StyleBody(StyleName):
    prompt: str = ""
    negative_prompt: str = ""


class ApplyBody(Body):
    prompt: str = ""
    negative_prompt: str = ""
    names: list[str]


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
    def picture(body: PictureBody) -> dict[str, str]:
        """How the picture in the body was made, as infotext; "" if it does not say."""
        return {"text": infotext_of(read_metadata(open_image(decoded(body.data)))) or ""}

    _add_styles(router, studio)
    return router


def _add_styles(router: APIRouter, studio: Studio) -> None:
    @router.get("/styles")
    def styles() -> dict[str, Any]:
        """The styles, without the headlines of their files."""
        return {
            "styles": [
                {"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt}
                for style in studio.styles.styles
                if not style.divider
            ]
        }

    @router.post("/styles")
    def save(body: StyleBody) -> dict[str, str]:
        """Write a style into its file, or a new one into the first."""
        name = body.name.strip()
        if not name or name.startswith("#"):
            raise BadRequest("A style needs a name, and '#' at its beginning would make it a remark.")
        studio.change_styles(lambda book: book.with_style(Style(name, body.prompt, body.negative_prompt)))
        return {"name": name}

    @router.post("/styles/delete")
    def delete(body: StyleName) -> None:
        """Take a style out of its file."""
        if studio.styles.find(body.name) is None:
            raise NotFound(f"There is no style called {body.name!r}.")
        studio.change_styles(lambda book: book.without(body.name))

    @router.post("/styles/apply")
    def apply(body: ApplyBody) -> dict[str, str]:
        """Both prompts with styles around them."""
        prompt, negative = studio.styles.apply(body.prompt, body.negative_prompt, body.names)
        return {"prompt": prompt, "negative_prompt": negative}
