"""The list of extensions that others offer: A1111's index, fetched when asked for and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from modules.studio.extensions.mirrors import Mirrors
from modules.studio.web import is_any, opened
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, WebuiError

LARGEST = 20 << 20
# A tag that no list has: what is here already.
INSTALLED = "installed"
HIDDEN = frozenset({"ads", "localization", INSTALLED})


@dataclass(frozen=True)
class Offer:
    """One entry of the index."""

    name: str
    url: str
    description: str = ""
    added: str = ""
    created: str = ""
    updated: str = ""
    stars: int = 0
    tags: tuple[str, ...] = ()

    def tagged(self, tag: str) -> Offer:
        return replace(self, tags=(*self.tags, tag))


@dataclass(frozen=True)
class Index:
    """tags: what each means. body: what it was read from."""

    offers: tuple[Offer, ...]
    tags: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


ORDERS: Mapping[str, tuple[Callable[[Offer], Any], bool]] = {
    "newest first": (lambda offer: offer.added, True),
    "oldest first": (lambda offer: offer.added, False),
    "a-z": (lambda offer: offer.name.lower(), False),
    "z-a": (lambda offer: offer.name.lower(), True),
    "internal order": (lambda offer: 0, False),
    "update time": (lambda offer: offer.updated, True),
    "create time": (lambda offer: offer.created, True),
    "stars": (lambda offer: offer.stars, True),
}


class Available:
    """The index that was fetched last, kept in a file."""

    def __init__(self, cache: Path, mirrors: Callable[[], Mirrors] = Mirrors) -> None:
        self._cache, self._mirrors = cache, mirrors

    def load(self, url: str = "") -> Index:
        """Fetches the index at `url`, "" for the one of the settings, and keeps it. Raises: BadRequest, WebuiError."""
        url = url.strip() or self._mirrors().index
        try:
            found = read_index(_fetched(url))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise BadRequest(
                f"{url} cannot be reached ({error or type(error).__name__}). Set the variable HTTPS_PROXY if there is "
                "a proxy, or name a mirror above or in Settings, Extensions."
            ) from error
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._cache) as draft:
            draft.write_bytes(found.body)
        return found

    def kept(self) -> Index | None:
        """The index that was fetched last; None if none was."""
        try:
            return read_index(self._cache.read_bytes())
        except (OSError, BadRequest):
            return None


def read_index(body: bytes) -> Index:
    """Raises: BadRequest if this is no index."""
    try:
        data = json.loads(body)
        entries, tags = data["extensions"], data.get("tags", {})
        offers = tuple(_offer(entry) for entry in entries if entry.get("name") and entry.get("url"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest("This is no index of extensions: JSON with a list called extensions.") from error
    return Index(offers, {str(tag): str(meaning) for tag, meaning in dict(tags).items()}, body)


def _fetched(url: str) -> bytes:
    """What is at `url`, wherever: who may load an index may install what is in it, and that may ask anybody.

    Raises: BadRequest, WebuiError, httpx.HTTPError, OSError.
    """
    body = bytearray()
    with opened(url, allowed=is_any, by_proxy=True) as answer:
        if answer.status_code != 200:
            raise WebuiError(f"{url} answered {answer.status_code}. Another address may work: a mirror.")
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > LARGEST:
                raise BadRequest(f"{url} is larger than {LARGEST >> 20} MB; that is no index.")
    return bytes(body)


def _offer(entry: Mapping[str, Any]) -> Offer:
    return Offer(
        name=str(entry["name"]),
        url=str(entry["url"]),
        description=str(entry.get("description") or ""),
        added=str(entry.get("added") or ""),
        created=str(entry.get("created_at") or ""),
        updated=str(entry.get("commit_time") or ""),
        stars=int(entry.get("stars") or 0),
        tags=tuple(str(tag) for tag in entry.get("tags") or ()),
    )


def chosen(
    index: Index,
    text: str = "",
    *,
    hidden: Collection[str] = HIDDEN,
    only: Collection[str] = (),
    order: str = "newest first",
) -> list[Offer]:
    """The offers whose name or description has every word of `text`. hidden, only: tags. Raises: BadRequest."""
    if order not in ORDERS:
        raise BadRequest(f"order is {order!r}, but must be one of {', '.join(ORDERS)}.")
    words = text.lower().split()
    key, reverse = ORDERS[order]
    found = [
        offer
        for offer in index.offers
        if not set(offer.tags) & set(hidden)
        and (not only or set(offer.tags) & set(only))
        and all(word in f"{offer.name} {offer.description}".lower() for word in words)
    ]
    return sorted(found, key=key, reverse=reverse)
