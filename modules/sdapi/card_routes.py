"""What the pane of cards needs beside their list: folders, small pictures, what training left in a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from modules.sdapi.model_routes import PREFIX, card_json, decoded
from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.gallery.picture import Picture
from modules.studio.gallery.thumbnails import Thumbnails
from modules.terms.errors import NotFound

MOST_TAGS = 200


class PreviewBody(Body):
    """A picture for a card. `data`: its file in base64."""

    kind: str
    name: str
    data: str


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["models"])
    thumbnails = Thumbnails(studio.flags.cache_dir / "thumbnails")

    @router.get("/overview/{kind}")
    def overview(kind: str) -> dict[str, Any]:
        """The folders in which models of a kind are, and what they are made for with how many are."""
        return {"folders": studio.cards.folders(kind), "bases": studio.cards.bases(kind)}

    @router.post("/refresh/{kind}")
    def refresh(kind: str) -> dict[str, Any]:
        """Look at the folders of a kind again."""
        studio.refresh(kind)
        return overview(kind)

    @router.get("/thumbnail/{kind}")
    def thumbnail(request: Request, kind: str, name: str, at: str = "") -> Response:
        """A small version of the picture beside a model. `at` makes the address another one once it is replaced."""
        path = studio.cards.preview(kind, name)
        if path is None:
            raise NotFound(f"{name!r} has no preview picture.")
        state = path.stat()
        small = thumbnails.of(Picture(path, state.st_mtime, (state.st_mtime_ns, state.st_size)))
        tag = f'"{small.stem[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable" if at else "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return FileResponse(small, media_type="image/webp", headers=headers)

    @router.post("/preview")
    def preview(request: Request, body: PreviewBody) -> dict[str, Any]:
        """Make a picture the preview of a model."""
        need_permission(request, studio.flags)
        return card_json(studio, body.kind, studio.cards.set_preview(body.kind, body.name, decoded(body.data)))

    @router.get("/metadata/{kind}")
    def metadata(kind: str, name: str) -> dict[str, Any]:
        """What the file of a model says of itself, and the tags it was trained with, the most frequent first."""
        found = {key: parsed(value) for key, value in studio.cards.metadata(kind, name).items()}
        tags = tag_counts(found.pop("ss_tag_frequency", None))
        return {"metadata": found, "tags": dict(tags.most_common(MOST_TAGS))}

    return router


def parsed(text: str) -> Any:
    """What `text` says if it is JSON, else `text`."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def tag_counts(frequency: Any) -> Counter[str]:
    """Tag -> how often, of all folders of training pictures together."""
    counts: Counter[str] = Counter()
    folders = frequency.values() if isinstance(frequency, Mapping) else ()
    for folder in folders:
        if isinstance(folder, Mapping):
            counts.update({str(tag).strip(): int(n) for tag, n in folder.items() if isinstance(n, (int, float))})
    return counts
