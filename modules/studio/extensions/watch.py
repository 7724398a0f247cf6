"""How far a start came: an extension that broke it off sits out the next one, and after two nobody is loaded."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger("atelier.extensions")
# After so many starts in a row that broke off for no known reason, one without extensions.
TOO_OFTEN = 2
NOTE = "loading.json"


@dataclass(frozen=True)
class Note:
    """What a start leaves on disk until its page is up.

    extension: whose code runs, "" for nobody's. unknown: how many starts in a row, this one included, break off for no
    known reason if this is where it ends. sentence, details: what the extension raised.
    """

    extension: str = ""
    unknown: int = 0
    sentence: str = ""
    details: str = ""


class StartWatch:
    """A note on disk while the studio starts; one that is found at the next start tells how that start ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._under_way = False
        found = read_note(path)
        self.found = found or Note()
        self.culprit = self.found.extension
        self.unknown = 0 if self.found.extension else self.found.unknown
        path.unlink(missing_ok=True)

    @property
    def without_extensions(self) -> bool:
        """Whether this start leaves out all extensions, since the last ones broke off for no known reason."""
        return self.unknown >= TOO_OFTEN

    def begin(self) -> None:
        """The start begins: until `over`, a process that dies is remembered."""
        self._under_way = True
        self._write(self._of_nobody())
        if self.without_extensions:
            log.warning("The last %d starts did not reach the page: no extension is loaded this time.", self.unknown)
        elif self.unknown:
            log.warning("The last start did not reach the page. If this one does not, start with --safe-mode.")

    def blame(self, name: str, sentence: str, details: str) -> None:
        """This start broke off because of `name`, which sits out the next one."""
        self._under_way = False
        self._write(Note(name, 0, sentence, details))

    def over(self) -> None:
        """The page is up, or the user or the studio itself ended the start."""
        self._under_way = False
        self._path.unlink(missing_ok=True)

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """Within: a start that breaks off is held against `name`."""
        self._write(Note(name))
        try:
            yield
        finally:
            # An exception is caught and told; an interpreter that dies leaves the note.
            if self._under_way:
                self._write(self._of_nobody())
            else:
                self._path.unlink(missing_ok=True)

    @contextmanager
    def calling(self, name: str) -> Iterator[None]:
        """Within, code of `name` runs: the same as `loading` while the studio starts, nothing later."""
        if not self._under_way:
            yield
            return
        with self.loading(name):
            yield

    def _of_nobody(self) -> Note:
        return Note(unknown=1 if self.without_extensions else self.unknown + 1)

    def _write(self, note: Note) -> None:
        # In place and not flushed: it outlives the process, which is all it has to, and is written twice per file.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(asdict(note)), encoding="utf-8")


def read_note(path: Path) -> Note | None:
    """The note of a start that broke off; None if the last one did not."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        texts = (str(found.get(key, "")) for key in ("sentence", "details"))
        return Note(str(found["extension"]), int(found.get("unknown", 0)), *texts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
