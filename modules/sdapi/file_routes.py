"""A1111's addresses for files: `/file=<path>`, and the pictures and metadata of models as its cards fetch them."""

from __future__ import annotations

import base64
import binascii
import json
from html import escape
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from modules.networks.files import read_metadata
from modules.sdapi.file_door import PICTURES, picture_inside
from modules.sdapi.needs import Studio
from modules.studio.cards import Card
from modules.studio.extensions.served import TYPES, served
from modules.studio.placing import known_folders
from modules.terms.errors import NotFound, Refused

# A1111's names of the pages of cards -> ours.
KINDS = {
    "lora": "loras",
    "textual inversion": "embeddings",
    "hypernetworks": "hypernetworks",
    "checkpoints": "checkpoints",
}
COVERS = "ssmd_cover_images"
# A picture that is opened alone runs nothing and reaches nothing.
ROOT = Path(__file__).resolve().parents[2]
OF_EXTENSION = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
ALONE = {"Content-Security-Policy": "sandbox", "Cache-Control": "private, max-age=60"}
MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(tags=["files"])

    @router.get("/file={path:path}", response_class=FileResponse)
    def file(path: str) -> Response:
        """A picture by its path, if it lies where pictures are saved or beside a model; or a file of an extension."""
        own = served(path, studio.extensions, (studio.flags.data_dir, ROOT))
        if own is not None:
            return FileResponse(own, media_type=TYPES[own.suffix.lower()], headers=OF_EXTENSION)
        extra = [Path(folder) for folder in studio.flags.gradio_allowed_path]
        shown = [*studio.outputs.folders(studio.settings), *known_folders(studio.flags), *extra]
        return _picture(path, shown)

    @router.get("/sd_extra_networks/thumb", response_class=FileResponse)
    def thumb(filename: str = "") -> Response:
        """The picture beside a model, by its path."""
        return _picture(filename, known_folders(studio.flags))

    @router.get("/sd_extra_networks/cover-images", response_class=Response)
    def cover_images(page: str = "", item: str = "", index: Annotated[int, Query(ge=0)] = 0) -> Response:
        """A picture that a model's file carries in its metadata."""
        covers = _covers(_metadata(_card(studio, page, item)))
        if index >= len(covers):
            raise NotFound(f"{item!r} carries {len(covers)} pictures; there is none with the index {index}.")
        try:
            data = base64.b64decode(covers[index], validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotFound(f"Picture {index} in {item!r} is damaged.") from error
        kind = next((kind for start, kind in MAGIC.items() if data.startswith(start)), None)
        if kind is None:
            raise NotFound(f"Picture {index} in {item!r} is of a kind that is not shown.")
        return Response(data, media_type=kind, headers=ALONE)

    @router.get("/sd_extra_networks/metadata")
    def metadata(page: str = "", item: str = "") -> dict[str, str]:
        """What a model's file says of itself, as JSON in text, without the pictures inside."""
        said = {key: _plain(value) for key, value in _metadata(_card(studio, page, item)).items() if key != COVERS}
        return {"metadata": json.dumps(said, indent=4, ensure_ascii=False)}

    @router.get("/sd_extra_networks/get-single-card")
    def single_card(page: str = "", tabname: str = "", name: str = "") -> dict[str, str]:
        """One card as HTML."""
        return {"html": card_html(studio, _kind(page), tabname, _card(studio, page, name))}

    return router


def _picture(name: str, folders: list[Path] | tuple[Path, ...]) -> Response:
    path = picture_inside(name, folders)
    if path is None:
        if Path(name).suffix.lower() in PICTURES:
            raise NotFound("There is no such picture in the folders that are shown.")
        raise Refused(f"Only pictures are shown: {', '.join(PICTURES)}.")
    return FileResponse(path, media_type=PICTURES[path.suffix.lower()], headers=ALONE)


def _kind(page: str) -> str:
    kind = KINDS.get(page.lower().replace("_", " "))
    if kind is None:
        raise NotFound(f"There is no page {page!r}. Known: {', '.join(KINDS)}.")
    return kind


def _card(studio: Studio, page: str, name: str) -> Card:
    return studio.cards.card(_kind(page), name)


def _metadata(card: Card) -> dict[str, str]:
    return dict(read_metadata(card.model.path))


def _covers(metadata: dict[str, str]) -> list[str]:
    covers = _plain(metadata.get(COVERS, ""))
    return [cover for cover in covers if isinstance(cover, str)] if isinstance(covers, list) else []


def _plain(text: str) -> Any:
    """The value of JSON in text; the text itself if it is none."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def card_html(studio: Studio, kind: str, tab: str, card: Card) -> str:
    """A card with A1111's class names. Every text in it is escaped: a file's name may be anything."""
    prompt, negative = studio.cards.prompt(kind, card)
    place = f"./sd_extra_networks/thumb?{urlencode({'filename': str(card.preview)})}" if card.preview else ""
    picture = f'<img src="{escape(place)}" class="preview" loading="lazy" alt="">' if place else ""
    return (
        f'<div class="card" data-name="{escape(card.model.name)}" data-tab="{escape(tab)}" '
        f'data-prompt="{escape(prompt)}" data-neg-prompt="{escape(negative)}" '
        f'data-sort-path="{escape(card.model.place)}">{picture}<div class="actions">'
        f'<span class="name">{escape(card.model.name)}</span>'
        f'<span class="description">{escape(card.description)}</span></div></div>'
    )
