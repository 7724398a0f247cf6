"""Extensions: what is installed, what others offer, and every change of it, looked at before it is made.

Whoever changes something sends the token that only a page of this origin can read.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import secrets
import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from modules.sdapi.needs import Studio
from modules.sdapi.permission import need_permission
from modules.sdapi.schemas import Body
from modules.studio.extensions.available import HIDDEN, INSTALLED, ORDERS, chosen
from modules.studio.extensions.built_in import done_here
from modules.studio.extensions.folder import Extension
from modules.studio.extensions.manager import Candidate, Installed
from modules.studio.extensions.review import Review
from modules.studio.extensions.states import position
from modules.terms.errors import BadRequest, NotFound, Refused

PREFIX = "/internal/extensions"
TOKEN = "X-Atelier-Token"
NEXT_START = "This takes effect at the next start."


class UrlBody(Body):
    url: str
    branch: str = ""
    name: str = ""


class FolderBody(Body):
    """A folder on this machine."""

    path: str
    name: str = ""


class ArchiveBody(Body):
    """A ZIP file. `data`: base64."""

    name: str
    data: str


class TokenBody(Body):
    """Something that was looked at. own_packages: what it installs goes into a folder of its own."""

    token: str
    own_packages: bool = False


class NameBody(Body):
    name: str


class EnabledBody(Body):
    """`disabled`: the names of those that are off. all_off: whether all of them are, whatever `disabled` says."""

    disabled: list[str]
    all_off: bool = False


class StateBody(Body):
    name: str = ""


class StateFileBody(Body):
    file: str


class IndexBody(Body):
    """The address of an index; "" for A1111's."""

    url: str = Field("", max_length=2000)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["extensions"])
    token = secrets.token_urlsafe(24)

    def allowed(request: Request) -> None:
        """Raises: Refused for strangers, and for whoever does not know the token."""
        need_permission(request, studio.flags)
        if not secrets.compare_digest(request.headers.get(TOKEN, "").encode(), token.encode()):
            raise Refused(f"Send the token of {PREFIX}/token in the header {TOKEN}.")

    @router.get("/token")
    def its_token(request: Request) -> dict[str, str]:
        """What changes need: readable by pages of this studio alone."""
        need_permission(request, studio.flags)
        return {"token": token}

    changing = [Depends(allowed)]
    _add_lists(router, studio)
    _add_changes(router, studio, changing)
    _add_states(router, studio, changing)
    return router


def _add_lists(router: APIRouter, studio: Studio) -> None:
    @router.get("")
    def installed() -> dict[str, Any]:
        """Every extension that is here, with what it adds, how long it took and what went wrong."""
        extensions = studio.extensions
        return {
            "extensions": [row(studio, one) for one in extensions.all()],
            "safe_mode": studio.flags.safe_mode,
            "all_off": extensions.all_off,
            "culprit": extensions.starts.culprit,
            "broken_starts": extensions.starts.unknown,
            "left_out": extensions.starts.without_extensions,
        }

    @router.get("/available")
    def available(
        search: str = "", order: str = "newest first", hide: str = ",".join(sorted(HIDDEN)), only: str = ""
    ) -> dict[str, Any]:
        """What the index that was fetched last offers."""
        index = studio.extension_index.kept()
        if index is None:
            return {"loaded": False, "offers": [], "tags": {}, "orders": list(ORDERS)}
        here = {_plain(record.url) for record in studio.extension_manager.records.all().values()}
        names = {one.name.lower() for one in studio.extensions.all()}
        marked = [
            offer.tagged(INSTALLED) if _plain(offer.url) in here or _last(offer.url) in names else offer
            for offer in index.offers
        ]
        known = dataclasses.replace(index, offers=tuple(marked))
        offers = chosen(known, search, hidden=_words(hide), only=_words(only), order=order)
        rows = [{**dataclasses.asdict(offer), "installed": INSTALLED in offer.tags} for offer in offers]
        tags = {**index.tags, INSTALLED: "is here already"}
        return {"loaded": True, "offers": rows, "tags": tags, "orders": list(ORDERS)}


def _add_changes(router: APIRouter, studio: Studio, changing: list[Any]) -> None:
    manager = studio.extension_manager

    @router.post("/enabled", dependencies=changing)
    def enabled(body: EnabledBody) -> dict[str, str]:
        """Which extensions are off from the next start on."""
        known = {one.name for one in studio.extensions.all()}
        if unknown := sorted(set(body.disabled) - known):
            raise NotFound(f"There is no extension called {unknown[0]!r}.")
        studio.extensions.set_disabled(body.disabled, all_off=body.all_off)
        return {"note": NEXT_START}

    @router.post("/available", dependencies=changing)
    def load(body: IndexBody) -> dict[str, int]:
        """Fetch the index anew."""
        return {"offers": len(studio.extension_index.load(body.url).offers)}

    @router.post("/fetch", dependencies=changing)
    def fetch(body: UrlBody) -> dict[str, Any]:
        """Bring an extension here to be looked at. Nothing of it runs."""
        return candidate(manager.fetch(body.url, body.branch, body.name))

    @router.post("/folder", dependencies=changing)
    def folder(body: FolderBody) -> dict[str, Any]:
        """The same from a folder on this machine."""
        return candidate(manager.take_folder(Path(body.path).expanduser(), body.name))

    @router.post("/archive", dependencies=changing)
    def archive(body: ArchiveBody) -> dict[str, Any]:
        """The same from a ZIP file."""
        try:
            data = base64.b64decode(body.data.rpartition(",")[2], validate=True)
        except binascii.Error as error:
            raise BadRequest("data is not base64.") from error
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "extension.zip"
            file.write_bytes(data)
            return candidate(manager.take_archive(file, Path(body.name).stem))

    @router.post("/check", dependencies=changing)
    def check(body: NameBody) -> dict[str, Any]:
        """What an update would change; `token` null: there is none."""
        found = manager.check(body.name)
        return candidate(found) if found is not None else {"token": None}

    @router.post("/install", dependencies=changing)
    def install(body: TokenBody) -> dict[str, Any]:
        """Install, or update, what was looked at."""
        return outcome(manager.install(body.token, own_packages=body.own_packages))

    @router.post("/dismiss", dependencies=changing)
    def dismiss(body: TokenBody) -> dict[str, bool]:
        """Throw away what was looked at."""
        manager.dismiss(body.token)
        return {"dismissed": True}

    @router.post("/roll-back", dependencies=changing)
    def roll_back(body: NameBody) -> dict[str, Any]:
        """Go back to the commit before the last update."""
        return outcome(manager.roll_back(body.name))

    @router.post("/remove", dependencies=changing)
    def remove(body: NameBody) -> dict[str, str]:
        """Delete an extension."""
        manager.remove(body.name)
        return {"note": NEXT_START}


def _add_states(router: APIRouter, studio: Studio, changing: list[Any]) -> None:
    states = studio.extension_states

    @router.get("/states")
    def backups() -> list[dict[str, Any]]:
        """The backups, newest first."""
        return states.all()

    @router.get("/states/{file}")
    def differences(file: str) -> list[dict[str, str]]:
        """What a backup would change."""
        return [dataclasses.asdict(one) for one in states.differences(file)]

    @router.post("/states", dependencies=changing)
    def save(body: StateBody) -> dict[str, str]:
        """Write a backup of the present state."""
        return {"file": states.save(body.name)}

    @router.post("/states/restore", dependencies=changing)
    def restore(body: StateFileBody) -> dict[str, Any]:
        """Bring the extensions to the state of a backup."""
        return {"problems": states.restore(body.file), "note": NEXT_START}


def row(studio: Studio, one: Extension) -> dict[str, Any]:
    """An installed extension, as the page lists it."""
    extensions, manager = studio.extensions, studio.extension_manager
    record, at = manager.records.get(one.name), position(one.path)
    ran = manager.outcomes.get(one.name)
    return {
        "name": one.name,
        "enabled": one.enabled,
        "active": any(active.name == one.name for active in extensions.active()),
        "url": at["remote"] or record.url,
        "branch": at["branch"],
        "commit": at["commit_hash"],
        "date": at["commit_date"],
        "source": record.source,
        "changed": manager.changed_since(one.name),
        "can_roll_back": bool(record.previous),
        "seconds": extensions.load_seconds.get(one.canonical_name),
        "adds": {
            folder: len(one.files(folder, *endings))
            for folder, endings in (
                ("scripts", (".py",)),
                ("javascript", (".js", ".mjs")),
                ("localizations", (".json",)),
            )
        },
        "failures": [dataclasses.asdict(failure) for failure in extensions.failures(one.name)],
        "problem": one.metadata.problem or done_here(one.name),
        "install": None if ran is None else dataclasses.asdict(ran),
    }


def candidate(found: Candidate) -> dict[str, Any]:
    """What was looked at, with the token that installs it."""
    return {
        "token": found.token,
        "name": found.name,
        "commit": found.record.commit,
        "update": found.update,
        "review": review_json(found.review),
    }


def review_json(review: Review) -> dict[str, Any]:
    return dataclasses.asdict(review)


def outcome(done: Installed) -> dict[str, Any]:
    """What became of an installation."""
    changed = [f"{name}: {before} → {now or 'gone'}" for name, (before, now) in done.changed.items()]
    return {"name": done.name, **dataclasses.asdict(done.outcome), "changed": changed, "note": NEXT_START}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def _last(url: str) -> str:
    return _plain(url).rpartition("/")[2].lower()
