"""Wildcards: files of lines, one of which stands for `__name__` in a prompt."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ENDINGS = (".txt", ".yaml", ".yml", ".json")


class Wildcards:
    """The files below `folder` as they stand now. `colours/warm.txt` is `__colours/warm__`; in a YAML or JSON file each
    list is a wildcard, named by its keys: `colours: {warm: [red]}` is `__colours/warm__` as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._lines: dict[str, tuple[str, ...] | Path] = {}
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if path.suffix.lower() == ".txt":
                self._lines[name.lower()] = path
            elif path.suffix.lower() in ENDINGS:
                inside = path.parent.relative_to(folder).as_posix()
                for key, lines in self._lists(path):
                    self._lines[(key if inside == "." else f"{inside}/{key}").lower()] = lines

    @property
    def names(self) -> list[str]:
        """Of all wildcards, in lower case."""
        return sorted(self._lines)

    def lines(self, name: str) -> tuple[str, ...] | None:
        """The entries of all wildcards that `name` (`*` stands for anything) fits; None if it fits none."""
        name = name.lower().strip("/")
        fitting = [name] if name in self._lines else [one for one in self.names if fnmatch.fnmatchcase(one, name)]
        return tuple(line for one in fitting for line in self._read(one)) if fitting else None

    def _read(self, name: str) -> tuple[str, ...]:
        found = self._lines[name]
        if isinstance(found, Path):
            found = self._lines[name] = self._text(found)
        return found

    def _text(self, path: Path) -> tuple[str, ...]:
        try:
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            self.notes.append(f"The wildcard file {path.name} could not be read: {error.strerror}.")
            return ()
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))

    def _lists(self, path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Name and entries of every list in a YAML or JSON file; one that cannot be read is noted and has none."""
        import yaml  # costs more than most starts need

        try:
            text = path.read_text(encoding="utf-8-sig")
            content = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
        except (OSError, ValueError, yaml.YAMLError) as error:
            self.notes.append(f"The wildcard file {path.name} could not be read: {error}")
            return
        yield from _named_lists(content, "" if isinstance(content, Mapping) else path.stem)


def _named_lists(content: Any, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(content, Mapping):
        for key, inner in content.items():
            yield from _named_lists(inner, f"{name}/{key}" if name else str(key))
    elif isinstance(content, Sequence) and not isinstance(content, str):
        yield name, tuple(str(entry) for entry in content if not isinstance(entry, (Mapping, list)))
    elif content is not None:
        yield name, (str(content),)
