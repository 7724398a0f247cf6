"""Downloads: what a link offers, starting one, following it, ending it; the keys of the sites."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.downloads.helper_files import HELPERS, mentioned_in, missing
from modules.studio.downloads.sites import Offer


class LinkBody(Body):
    """A link to Civitai or Hugging Face, an air: name, or the address of a file."""

    link: str


class StartBody(LinkBody):
    """`name`: which of several files; `kind`: what it is, if nothing else tells; a pickle must be allowed."""

    name: str = ""
    kind: str = ""
    allow_pickle: bool = False


class ResumeBody(Body):
    allow_pickle: bool = False


class KeyBody(Body):
    """A key of "civitai" or "hub"; empty: forget it."""

    site: str
    key: str


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/internal/downloads", tags=["downloads"])

    @router.get("")
    def listed() -> dict[str, Any]:
        """Every download, the latest first, and for which sites there is a key."""
        return {"downloads": [one.view() for one in studio.downloads.all], "keys": studio.keys.known()}

    @router.get("/helpers")
    def helpers(sentence: str = "") -> list[dict[str, str]]:
        """Well-known files that are not here: all of them, or those that a sentence about something missing names."""
        named = mentioned_in(sentence) if sentence else HELPERS
        found = missing(studio.flags, named)
        return [{"name": helper.name, "link": helper.link, "kind": helper.kind} for helper in found]

    @router.get("/{download_id}")
    def one(download_id: str) -> dict[str, Any]:
        """One download."""
        return studio.downloads.get(download_id).view()

    @router.post("/offers")
    def offers(request: Request, body: LinkBody) -> list[dict[str, Any]]:
        """What a link leads to, the best first."""
        need_permission(request, studio.flags)
        return [offer_json(offer) for offer in studio.downloads.offers(body.link)]

    @router.post("")
    def start(request: Request, body: StartBody) -> dict[str, Any]:
        """Begin a download."""
        need_permission(request, studio.flags)
        begun = studio.downloads.start(body.link, name=body.name, kind=body.kind, allow_pickle=body.allow_pickle)
        return begun.view()

    @router.post("/keys")
    def set_key(request: Request, body: KeyBody) -> dict[str, bool]:
        """Keep the key of a site, or forget it. No address tells a key."""
        need_permission(request, studio.flags)
        studio.keys.set(body.site, body.key)
        return studio.keys.known()

    @router.post("/{download_id}/cancel")
    def cancel(request: Request, download_id: str) -> dict[str, Any]:
        """End a download and throw away what is here; one that has ended leaves the list."""
        need_permission(request, studio.flags)
        return studio.downloads.cancel(download_id).view()

    @router.post("/{download_id}/pause")
    def pause(request: Request, download_id: str) -> dict[str, Any]:
        """End a download for now."""
        need_permission(request, studio.flags)
        return studio.downloads.pause(download_id).view()

    @router.post("/{download_id}/resume")
    def resume(request: Request, download_id: str, body: ResumeBody) -> dict[str, Any]:
        """Go on with a download, or answer its question."""
        need_permission(request, studio.flags)
        return studio.downloads.resume(download_id, allow_pickle=body.allow_pickle).view()

    return router


def offer_json(offer: Offer) -> dict[str, Any]:
    facts = ("name", "title", "size", "sha256", "kind", "page", "preview", "is_safe")
    return {fact: getattr(offer, fact) for fact in facts}
