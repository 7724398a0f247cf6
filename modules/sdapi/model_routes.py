"""The models as cards, what a file is, and the folder in which it belongs."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field

from modules.checkpoints.inspect import FileReport, inspect_file
from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.cards import Card, created
from modules.studio.placing import folder_for, known_file, place
from modules.terms.errors import BadRequest, NotFound

PREFIX = "/internal/models"
KINDS_OF_PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif",
}  # fmt: skip


class FileBody(Body):
    """A file in one of the folders of models, by its path."""

    path: str


class BeginningBody(Body):
    """The beginning of a file that lies on another machine. `beginning`: base64, with all of the header."""

    name: str
    size: int = Field(gt=0)
    beginning: str


class UploadBody(Body):
    name: str
    size: int = Field(gt=0)


class PieceBody(Body):
    """The next piece of an upload, in base64."""

    offset: int = Field(ge=0)
    data: str


class NotesBody(Body):
    """Notes to be written beside a model; null or absent ones stay as they are."""

    kind: str
    name: str
    changes: dict[str, Any]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["models"])
    _add_cards(router, studio)
    _add_inspection(router, studio)
    _add_uploads(router, studio)
    return router


def _add_cards(router: APIRouter, studio: Studio) -> None:
    @router.get("/cards/{kind}")
    def cards(
        kind: str,
        search: str = "",
        order: str = "path",
        descending: bool = False,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=0, le=1000)] = 100,
        folder: str = "",
        base: str = "",
    ) -> dict[str, Any]:
        """A page of the models of a kind ("checkpoints", "loras", "embeddings", "hypernetworks")."""
        page = studio.cards.search(
            kind, search, order=order, descending=descending, offset=offset, limit=limit, folder=folder, base=base
        )
        return {"total": page.total, "cards": [card_json(studio, kind, card) for card in page.cards]}

    @router.get("/card/{kind}")
    def card(kind: str, name: str) -> dict[str, Any]:
        """One model, by its name."""
        return card_json(studio, kind, studio.cards.card(kind, name))

    @router.get("/preview/{kind}")
    def preview(kind: str, name: str) -> Response:
        """The picture beside a model."""
        path = studio.cards.preview(kind, name)
        media_type = KINDS_OF_PICTURES.get(path.suffix.lower()) if path else None
        if path is None or media_type is None:
            raise NotFound(f"{name!r} has no preview picture.")
        return FileResponse(path, media_type=media_type, headers={"Content-Security-Policy": "sandbox"})

    @router.post("/notes")
    def notes(request: Request, body: NotesBody) -> dict[str, Any]:
        """Write notes into the JSON beside a model, as A1111 does; keys of other programs stay."""
        need_permission(request, studio.flags)
        return card_json(studio, body.kind, studio.cards.set_notes(body.kind, body.name, body.changes))

    @router.get("/hashing")
    def hashing() -> dict[str, Any]:
        """How far the hashing of checkpoints in the background is."""
        return studio.library.hashing._asdict()


def _add_inspection(router: APIRouter, studio: Studio) -> None:
    @router.post("/inspect")
    def inspect(body: FileBody) -> dict[str, Any]:
        """What a file in one of the folders of models is, by its header."""
        return report_json(studio, inspect_file(known_file(body.path, studio.flags)))

    @router.post("/inspect-beginning")
    def inspect_beginning(body: BeginningBody) -> dict[str, Any]:
        """What a file on another machine is, by its beginning."""
        report = studio.uploads.inspect_beginning(body.name, body.size, decoded(body.beginning))
        return report_json(studio, report) | {"path": None}

    @router.post("/hashes")
    def hashes(body: FileBody) -> dict[str, str]:
        """The names that hashes give a file: computed now, which takes seconds for a large one."""
        return studio.hashes.every(known_file(body.path, studio.flags))

    @router.post("/place")
    def to_its_place(request: Request, body: FileBody) -> dict[str, str]:
        """Move a file, with what stands beside it, to the folder in which it belongs."""
        need_permission(request, studio.flags)
        return {"path": str(place(known_file(body.path, studio.flags), studio.flags))}


def _add_uploads(router: APIRouter, studio: Studio) -> None:
    @router.post("/uploads")
    def begin(request: Request, body: UploadBody) -> dict[str, str]:
        """Begin to upload a file."""
        need_permission(request, studio.flags)
        return {"id": studio.uploads.begin(body.name, body.size).id}

    @router.post("/uploads/{upload_id}")
    def add(request: Request, upload_id: str, body: PieceBody) -> dict[str, int]:
        """The next piece."""
        need_permission(request, studio.flags)
        return {"written": studio.uploads.add(upload_id, body.offset, decoded(body.data)).written}

    @router.post("/uploads/{upload_id}/finish")
    def finish(request: Request, upload_id: str) -> dict[str, Any]:
        """Put the file, now whole, into the folder in which it belongs."""
        need_permission(request, studio.flags)
        path, report = studio.uploads.finish(upload_id)
        return report_json(studio, report) | {"path": str(path)}

    @router.post("/uploads/{upload_id}/drop")
    def drop(request: Request, upload_id: str) -> None:
        """Forget an upload."""
        need_permission(request, studio.flags)
        studio.uploads.drop(upload_id)


def card_json(studio: Studio, kind: str, card: Card) -> dict[str, Any]:
    """A card as the page shows it. `preview`: where its picture is fetched, relative to the studio's address."""
    prompt, negative = studio.cards.prompt(kind, card)
    return {
        "name": card.model.name,
        "alias": card.model.alias,
        "title": card.model.title,
        "path": str(card.model.path),
        "place": card.model.place,
        "modified": card.model.modified,
        "created": created(card.model.path),
        "size": card.model.size,
        "base": card.model.base,
        "hash": card.model.hash,
        "preview": _preview_address(kind, card),
        "description": card.description,
        "notes": dict(card.notes),
        "prompt": prompt,
        "negative_prompt": negative,
    }


def _preview_address(kind: str, card: Card) -> str | None:
    if card.preview is None:
        return None
    # With its time: a picture that was replaced has another address, so browsers may keep what they have.
    asked = {"name": card.model.name, "at": int(card.preview.stat().st_mtime_ns // 1_000_000)}
    return f"{PREFIX.lstrip('/')}/preview/{quote(kind)}?{urlencode(asked)}"


def report_json(studio: Studio, report: FileReport) -> dict[str, Any]:
    """What a file is, as the page shows it. `folder`: where it belongs; null if there is no place for its kind."""
    folder = folder_for(report.kind, studio.flags)
    return {
        "path": str(report.path),
        "name": report.path.name,
        "kind": report.kind,
        "sentence": report.sentence,
        "notes": list(report.notes),
        "base": report.base,
        "variant": report.variant,
        "prediction": report.prediction,
        "defaults": dict(report.defaults),
        "algorithms": list(report.algorithms),
        "trigger_words": list(report.trigger_words),
        "training": dict(report.training),
        "tags": dict(report.tags),
        "dtypes": list(report.dtypes),
        "tensors": report.tensors,
        "parameters": report.parameters,
        "folder": str(folder) if folder else None,
        "in_place": folder is not None and report.path.is_relative_to(folder),
    }


def decoded(text: str) -> bytes:
    """Raises: BadRequest if `text` is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("This piece of the file is not base64.") from error
