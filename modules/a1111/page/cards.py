"""Pages of cards that extensions register, as tabs below the prompts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound

if TYPE_CHECKING:
    from fastapi import FastAPI

# Before the name of a page, where the studio's own have the kind of their cards.
KIND = "a1111/"
PREFIX = "/internal/a1111"
MEDIA = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


def pages() -> list[tuple[str, str, str]]:
    """Name for element ids, kind and title of each page that an extension has registered."""
    return [(slug(page.name), f"{KIND}{slug(page.name)}", str(page.title)) for page in _pages()]


def _pages() -> list[Any]:
    from modules import ui_extra_networks

    return list(ui_extra_networks.pages_of_extensions())


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower())


def _page(name: str) -> Any:
    """Raises: NotFound."""
    from modules.terms.errors import NotFound

    found = next((page for page in _pages() if slug(page.name) == name), None)
    if found is None:
        raise NotFound(f"No extension has a page of cards called {name!r}.")
    return found


def cards(name: str, search: str, order: str, *, descending: bool) -> list[dict[str, Any]]:
    """The cards of a page whose words have `search` in them; none if its extension fails, which is reported."""
    page = _page(name)
    try:
        items = [item for item in page.list_items() if item]
    except Exception as error:  # noqa: BLE001 - code of others
        extensions = bound().studio.extensions
        file = getattr(sys.modules.get(type(page).__module__), "__file__", None) or ""
        extensions.failed(extensions.name_of(file), f"its page of cards {page.title}", error)
        return []
    words = search.lower().split()
    found = [item for item in items if all(word in _words(item) for word in words)]
    keys = {"date_created": "date_created", "date_modified": "date_modified", "name": "name", "path": "path"}
    key = keys.get(order, "default")
    found.sort(key=lambda item: str((item.get("sort_keys") or {}).get(key, "")).rjust(12), reverse=descending)
    page.metadata.update({item["name"]: item.get("metadata") for item in found})
    return [card(item) for item in found]


def _words(item: dict[str, Any]) -> str:
    terms = item.get("search_terms") or item.get("search_term") or ()
    return " ".join([str(item["name"]), *([terms] if isinstance(terms, str) else map(str, terms))]).lower()


def card(item: dict[str, Any]) -> dict[str, Any]:
    """A card as static/cards_grid.js draws it. `prompt` and `negative_prompt` are JavaScript, as A1111 has them."""
    filename = str(item.get("filename") or "")
    stat = Path(filename).stat() if filename and Path(filename).is_file() else None
    modified = stat.st_mtime if stat else 0.0
    return {
        "name": str(item["name"]),
        "alias": "",
        "title": str(item["name"]),
        "path": filename,
        "place": str(item["name"]),
        "modified": modified,
        "created": modified,
        "size": stat.st_size if stat else 0,
        "base": str(item.get("sd_version") or ""),
        "hash": str(item.get("shorthash") or ""),
        "preview": str(item["preview"]).removeprefix("./") if item.get("preview") else None,
        "description": str(item.get("description") or ""),
        "notes": item.get("user_metadata") or {},
        "metadata": item.get("metadata") or {},
        "prompt": item.get("prompt") or '""',
        "negative_prompt": item.get("negative_prompt") or '""',
        "onclick": item.get("onclick") or "",
    }


def folders() -> Iterator[Path]:
    """The folders whose pictures the pages may show."""
    for page in _pages():
        for folder in page.allowed_directories_for_previews():
            if folder:
                yield Path(folder).resolve()


def add_routes(app: FastAPI) -> None:
    from fastapi import Response
    from fastapi.responses import FileResponse

    from modules.terms.errors import NotFound

    @app.get(f"{PREFIX}/cards/{{page}}", include_in_schema=False)
    def listed(
        page: str, search: str = "", order: str = "path", descending: bool = False, offset: int = 0, limit: int = 100
    ) -> dict[str, Any]:
        found = cards(page, search, order, descending=descending)
        return {"total": len(found), "cards": found[max(0, offset) : max(0, offset) + limit]}

    @app.post(f"{PREFIX}/cards/{{page}}/refresh", include_in_schema=False)
    def refreshed(page: str) -> dict[str, Any]:
        _page(page).refresh()
        return {"folders": [], "bases": {}}

    @app.get(f"{PREFIX}/thumb", include_in_schema=False)
    def thumb(filename: str) -> Response:
        path = Path(filename.replace("\0", "")).resolve()
        media = MEDIA.get(path.suffix.lower())
        if media is None or not path.is_file() or not any(path.is_relative_to(folder) for folder in folders()):
            raise NotFound("There is no such picture.")
        return FileResponse(path, media_type=media, headers={"Content-Security-Policy": "sandbox"})
