"""Named presets: the values of a whole tab under a name, as JSON files that people can copy and share."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modules.gui.kept_files import KeptFiles
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, NotFound

LARGEST: Final = 2 << 20
_TAB = re.compile(r"[a-z0-9_]{1,40}")
# What every file system takes, in every script.
_NAME = re.compile(r"[\w(+][\w .,()+\-]{0,79}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class Presets:
    """`<folder>/<tab>/<name>.json`. Safe to use from any thread."""

    def __init__(self, folder: Path, uploads: Path) -> None:
        self._folder, self._uploads = folder, uploads
        self._lock = threading.Lock()

    def names(self, tab: str) -> list[str]:
        """The presets of `tab`, by name."""
        return sorted((path.stem for path in self._of(tab).glob("*.json")), key=str.casefold)

    def load(self, tab: str, name: str) -> dict[str, Any]:
        """Field -> value; pictures in them are where they were. Raises: NotFound, BadRequest if the file is broken."""
        path = self._path(tab, name)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            known = ", ".join(self.names(tab)) or "none"
            raise NotFound(f"There is no preset called {name!r} for this tab. There are: {known}.") from error
        except ValueError as error:
            raise BadRequest(f"{path.name} is not JSON: correct it in {path.parent}, or delete the preset.") from error
        if not isinstance(values, dict):
            raise BadRequest(f"{path.name} is no preset: delete it and save it again.")
        self._files(tab, name).restore(values)
        return values

    def save(self, tab: str, name: str, values: Mapping[str, Any]) -> None:
        """Keeps `values`, in place of a preset of that name. Raises: BadRequest."""
        path = self._path(tab, name)
        text = json.dumps(values, ensure_ascii=False, indent=1)
        if len(text) > LARGEST:
            raise BadRequest(f"A preset may have {LARGEST >> 20} MB: shorten the texts in it.")
        with self._lock:
            with replacing(path) as beside:
                beside.write_text(text, encoding="utf-8")
            self._files(tab, name).keep(dict(values))

    def delete(self, tab: str, name: str) -> None:
        """Forgets a preset; one that is not there is forgotten already."""
        with self._lock:
            self._path(tab, name).unlink(missing_ok=True)
            self._files(tab, name).keep({})

    def _of(self, tab: str) -> Path:
        if not _TAB.fullmatch(tab):
            raise BadRequest(f"There is no tab called {tab!r}.")
        return self._folder / tab

    def _path(self, tab: str, name: str) -> Path:
        if not _NAME.fullmatch(name) or name[-1] in " ." or _RESERVED.fullmatch(name):
            raise BadRequest(
                f"{name!r} cannot be the name of a preset: use up to 80 letters, digits, blanks and any of . , ( ) + -"
            )
        return self._of(tab) / f"{name}.json"

    def _files(self, tab: str, name: str) -> KeptFiles:
        return KeptFiles(self._of(tab) / "files" / name, self._uploads)
