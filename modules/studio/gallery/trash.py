"""Deleted pictures go into a folder of their own, from which they can be taken back."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from modules.studio.gallery.picture import ENDINGS
from modules.terms.errors import BadRequest, NotFound, WebuiError

FOLDER = ".trash"


class Trash:
    """A folder of deleted files, each with a note of where it came from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def throw(self, path: Path) -> str:
        """Moves a picture, and the text file beside it, into the trash. Returns: its name there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}{path.suffix.lower()}"
        # First the note: a file without one could not go back.
        note = {"path": str(path), "deleted": time.time()}
        (self.folder / f"{name}.json").write_text(json.dumps(note), encoding="utf-8")
        try:
            shutil.move(path, self.folder / name)
            text = path.with_suffix(".txt")
            if text.is_file():
                shutil.move(text, self.folder / f"{name}.txt")
        except OSError as error:
            (self.folder / f"{name}.json").unlink(missing_ok=True)
            raise WebuiError(f"{path.name} could not be deleted: {error.strerror or error}.") from error
        return name

    def take_back(self, name: str) -> Path:
        """Moves a file back to where it was. Raises: NotFound, WebuiError if another file is there now."""
        file = self._file(name)
        target = Path(json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))["path"])
        if target.exists():
            raise WebuiError(f"{target} cannot come back: another file has that name now. Rename that one first.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
        text = self.folder / f"{name}.txt"
        if text.is_file() and not target.with_suffix(".txt").exists():
            shutil.move(text, target.with_suffix(".txt"))
        (self.folder / f"{name}.json").unlink()
        return target

    def listed(self) -> list[dict[str, object]]:
        """What lies in the trash, newest first: name, path it had, when it was deleted."""
        notes = self.folder.glob("*.json") if self.folder.is_dir() else ()
        rows = [{"name": note.stem, **json.loads(note.read_text(encoding="utf-8"))} for note in notes]
        return sorted(rows, key=lambda row: -float(str(row["deleted"])))

    def empty(self) -> int:
        """Deletes for good what lies in the trash. Returns: how many pictures."""
        names = [str(row["name"]) for row in self.listed()]
        for name in names:
            for file in (name, f"{name}.txt", f"{name}.json"):
                (self.folder / file).unlink(missing_ok=True)
        return len(names)

    def _file(self, name: str) -> Path:
        if os.path.basename(name) != name or Path(name).suffix not in ENDINGS:  # noqa: PTH119 - both separators
            raise BadRequest(f"{name!r} is no name in the trash.")
        file = self.folder / name
        if not file.is_file() or not (self.folder / f"{name}.json").is_file():
            raise NotFound(f"{name!r} is not in the trash.")
        return file
