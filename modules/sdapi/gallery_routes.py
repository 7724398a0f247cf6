"""The library of pictures: search, small versions, marks, and the trash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from pydantic import Field

from modules.generation.infotext import parse
from modules.generation.resources import what_differs
from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.gallery.index import MOST, Row

PREFIX = "/internal/gallery"
# What the index can hold.
LARGEST = (1 << 63) - 1
PictureId = Annotated[int, InPath(ge=0, le=LARGEST)]
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".avif": "image/avif",
}  # fmt: skip
# A picture's address carries its stamp, so what it names never changes.
FOREVER = "private, max-age=31536000, immutable"


class FavouriteBody(Body):
    favourite: bool = True


class TagsBody(Body):
    tags: list[str]


class PicturesBody(Body):
    """Pictures by their ids."""

    ids: list[Annotated[int, Field(ge=0, le=LARGEST)]]


class TrashBody(Body):
    """Files by their names in the trash."""

    names: list[str]


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["library"])
    _add_search(router, studio)
    _add_pictures(router, studio)
    _add_trash(router, studio)
    return router


def _add_search(router: APIRouter, studio: Studio) -> None:
    gallery = studio.gallery

    @router.get("")
    def search(
        search: str = "",
        order: str = "newest",
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    ) -> dict[str, Any]:
        """A page of pictures. Words are looked for in prompts and names; `model:`, `lora:`, `sampler:`, `seed:`,
        `size:`, `date:`, `tag:`, `folder:` and `is:favourite` narrow it down, a minus before a word excludes it."""
        page = gallery.search(search, order=order, after=after, limit=limit)
        progress = {"indexing": gallery.indexing, "indexed": gallery.indexed}
        return {"pictures": [in_short(row) for row in page.rows], "next": page.next, **progress}

    @router.get("/count")
    def count(search: str = "") -> dict[str, int]:
        """How many pictures a search finds."""
        return {"count": gallery.index.count(search)}

    @router.get("/values/{column}")
    def values(column: str) -> list[dict[str, Any]]:
        """The models, samplers or folders that there are, most used first."""
        return [{"value": value, "count": count} for value, count in gallery.index.values(column)]

    @router.get("/tags")
    def tags() -> list[dict[str, Any]]:
        """Every tag and how often it is used."""
        return [{"value": tag, "count": count} for tag, count in gallery.index.tags()]

    @router.post("/refresh")
    def refresh() -> dict[str, bool]:
        """Look through the folders again."""
        gallery.refresh()
        return {"indexing": True}


def _add_pictures(router: APIRouter, studio: Studio) -> None:
    gallery = studio.gallery

    @router.get("/picture/{id}")
    def picture(id: PictureId) -> dict[str, Any]:
        """One picture with its text, and what of its models is missing or another here."""
        row = gallery.row(id)
        text = row.picture.text
        differs = what_differs(parse(text), studio.resources) if text else []
        return {**in_short(row), "path": str(row.picture.path), "infotext": text, "differs": differs}

    @router.get("/picture/{id}/thumbnail")
    def thumbnail(id: PictureId) -> Response:
        """A small version, 320 pixels at most."""
        return _sent(gallery.thumbnail(id))

    @router.get("/picture/{id}/file")
    def file(id: PictureId, download: bool = False) -> Response:
        """The file itself."""
        return _sent(gallery.file(id), download=download)

    @router.post("/picture/{id}/favourite")
    def favour(id: PictureId, body: FavouriteBody) -> dict[str, Any]:
        """Mark a picture, or take the mark away."""
        gallery.index.favour(gallery.file(id), body.favourite)
        return in_short(gallery.row(id))

    @router.post("/picture/{id}/tags")
    def tag(id: PictureId, body: TagsBody) -> dict[str, Any]:
        """Replace a picture's tags."""
        gallery.index.set_tags(gallery.file(id), body.tags)
        return in_short(gallery.row(id))


def _add_trash(router: APIRouter, studio: Studio) -> None:
    gallery = studio.gallery

    @router.post("/delete")
    def delete(request: Request, body: PicturesBody) -> dict[str, list[str]]:
        """Move pictures into the trash; the names bring them back."""
        need_permission(request, studio.flags)
        return {"names": gallery.delete(body.ids)}

    @router.post("/restore")
    def restore(request: Request, body: TrashBody) -> dict[str, list[str]]:
        """Take pictures back out of the trash."""
        need_permission(request, studio.flags)
        return {"paths": [str(path) for path in gallery.restore(body.names)]}

    @router.get("/trash")
    def trash() -> list[dict[str, Any]]:
        """What lies in the trash, newest first."""
        return gallery.trash.listed()

    @router.post("/trash/empty")
    def empty(request: Request) -> dict[str, int]:
        """Delete for good what lies in the trash."""
        need_permission(request, studio.flags)
        return {"deleted": gallery.trash.empty()}


def in_short(row: Row) -> dict[str, Any]:
    """A picture as the grid shows it.

    `id`: text, since it is too long for a number in JavaScript. `version`: changes with the file, so that addresses
    with it can be kept for ever.
    """
    picture = row.picture
    return {
        "id": str(row.id),
        "name": picture.path.name,
        "version": f"{picture.stamp[0]:x}",
        "made": picture.made,
        "width": picture.width,
        "height": picture.height,
        "model": picture.model,
        "seed": None if picture.seed is None else str(picture.seed),
        "favourite": row.favourite,
        "tags": list(row.tags),
    }


def _sent(path: Path, *, download: bool = False) -> FileResponse:
    headers = {"Cache-Control": FOREVER, "Content-Security-Policy": "sandbox"}
    return FileResponse(
        path,
        media_type=TYPES.get(path.suffix.lower(), "application/octet-stream"),
        headers=headers,
        filename=path.name if download else None,
    )
