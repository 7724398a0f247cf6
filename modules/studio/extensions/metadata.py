"""An extension's metadata.ini: what it needs, and what its files stand before or after. Source: spec/extensions.md."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FILE = "metadata.ini"


@dataclass(frozen=True)
class Metadata:
    """requires, before, after: section ("scripts", "scripts/foo.py", "Extension", "callbacks/…") -> names in lower
    case. problem: why the file could not be read, if so."""

    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)
    before: dict[str, tuple[str, ...]] = field(default_factory=dict)
    after: dict[str, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def read(cls, folder: Path) -> Metadata:
        """What the extension in `folder` says of itself; a file that is no INI file says nothing but that."""
        parser = configparser.ConfigParser()
        try:
            text = (folder / FILE).read_text(encoding="utf-8-sig")
            parser.read_string(text)
        except FileNotFoundError:
            return cls()
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            return cls(problem=f"{FILE} could not be read: {str(error).splitlines()[0]}")

        def listed(key: str) -> dict[str, tuple[str, ...]]:
            return {name: names_in(parser.get(name, key)) for name in parser.sections() if parser.has_option(name, key)}

        return cls(listed("requires"), listed("before"), listed("after"))

    def of(self, which: str, folder: str, file: str) -> Iterator[str]:
        """The names that "requires", "before" or "after" gives for `folder` as a whole and for a file in it."""
        table: dict[str, tuple[str, ...]] = getattr(self, which)
        for section in (folder, f"{folder}/{file}"):
            yield from table.get(section, ())

    @property
    def requirements(self) -> tuple[tuple[str, ...], ...]:
        """Extensions that this one needs; each entry lists alternatives."""
        return tuple(tuple(name.split("|")) for name in self.requires.get("Extension", ()))


def names_in(text: str) -> tuple[str, ...]:
    """Names parted by commas or blanks, in lower case."""
    return tuple(name.lower() for name in re.split(r"[\s,]+", text) if name)
