"""What was typed into the page, kept for each browser: it comes back after a reload, a crash or a restart."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modules.gui.kept_files import KeptFiles
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest

# One page's fields are a few kilobytes; a long prompt does not make them megabytes.
LARGEST: Final = 2 << 20
BROWSERS: Final = 200
FORGOTTEN_S: Final = 180 * 24 * 3600
_TAB = re.compile(r"[a-z0-9_]{1,40}")
_BROWSER = re.compile(r"[0-9a-f]{32}")
_FILES = "files"


class Drafts:
    """A folder per browser, in it `<tab>.json` and copies of the pictures they name. Safe to use from any thread."""

    def __init__(self, folder: Path, uploads: Path) -> None:
        self._folder, self._uploads = folder, uploads
        self._lock = threading.Lock()

    def read(self, browser: str) -> dict[str, dict[str, Any]]:
        """Tab -> {"saved": when, "values": field -> value}. Pictures in them are where they were. {} if none is."""
        with self._lock:
            found = self._read(browser)
            self._files(browser).restore(found)
        return found

    def write(self, browser: str, tab: str, draft: Mapping[str, Any]) -> None:
        """Keeps `draft` ({"saved": …, "values": …}) of `tab`, unless a younger one is here.

        Raises: BadRequest if it is no draft, or too large.
        """
        if not _BROWSER.fullmatch(browser) or not _TAB.fullmatch(tab) or not _is_draft(draft):
            raise BadRequest("This is no draft of a tab: reload the page.")
        text = json.dumps(draft, ensure_ascii=False)
        if len(text) > LARGEST:
            raise BadRequest(f"This draft is larger than {LARGEST >> 20} MB and is not kept: shorten the texts in it.")
        with self._lock:
            folder = self._folder / browser
            if not folder.is_dir():
                self._forget_old()
            drafts = self._read(browser)
            if tab in drafts and drafts[tab]["saved"] > draft["saved"]:
                return
            with replacing(folder / f"{tab}.json") as beside:
                beside.write_text(text, encoding="utf-8")
            self._files(browser).keep({**drafts, tab: draft})

    def _read(self, browser: str) -> dict[str, dict[str, Any]]:
        found = {}
        for path in self._folder.joinpath(browser).glob("*.json") if _BROWSER.fullmatch(browser) else ():
            try:
                draft = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if _is_draft(draft):
                found[path.stem] = draft
        return found

    def _files(self, browser: str) -> KeptFiles:
        return KeptFiles(self._folder / browser / _FILES, self._uploads)

    def _forget_old(self) -> None:
        """Room for one more: browsers that have not been here for half a year go, and the oldest of too many."""
        folders = [path for path in self._folder.glob("*") if path.is_dir()]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        long_ago = time.time() - FORGOTTEN_S
        for number, path in enumerate(folders):
            if number >= BROWSERS - 1 or path.stat().st_mtime < long_ago:
                shutil.rmtree(path, ignore_errors=True)


def new_browser() -> str:
    """A name that nobody can guess: whoever knows it can read the drafts."""
    return secrets.token_hex(16)


def _is_draft(draft: Any) -> bool:
    return (
        isinstance(draft, Mapping)
        and isinstance(draft.get("saved"), (int, float))
        and isinstance(draft.get("values"), dict)
    )
