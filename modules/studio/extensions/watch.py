"""Which extension was being loaded when a start broke off: it sits out the next one, and the page says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modules.terms.atomic import replacing


class StartWatch:
    """A note on disk while an extension is loaded; one that is found at the next start names the culprit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.culprit = self._found()

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """Within: a start that breaks off is held against `name`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as draft:
            draft.write_text(json.dumps({"extension": name}), encoding="utf-8")
        try:
            yield
        finally:
            # An exception is caught and told; an interpreter that dies leaves the note.
            self._path.unlink(missing_ok=True)

    def _found(self) -> str:
        try:
            name = json.loads(self._path.read_text(encoding="utf-8"))["extension"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        self._path.unlink(missing_ok=True)
        return str(name)
