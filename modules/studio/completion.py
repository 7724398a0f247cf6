"""What a prompt's last word may become: tags, networks, embeddings, wildcards, styles."""

from __future__ import annotations

import csv
import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modules.prompt.styles import PLACE, StyleBook
from modules.prompt.tags import Tag, TagIndex, read_tags
from modules.settings.store import Settings
from modules.studio.cards import Cards
from modules.studio.flag_table import Flags

log = logging.getLogger("atelier.completion")

LIMIT = 20
# Styles and embeddings stand before the tags; so many of each, so that there is room for those.
FEW = 4
MOST_WORDS = 5
# Wildcard files are looked for at most so often.
LOOK_AGAIN_S = 5.0
# "<lora:na" or "<na": a network; "__na": a wildcard; else what stands since the last comma, bracket or colon.
_NETWORK = re.compile(r"<(?:(\w*):)?([^<>:\n]*)$")
_WILDCARD = re.compile(r"(?<![\w*])__([^\s_,]?[^\s,]*)$")
_PHRASE = re.compile(r"(?:\\[()]|[^,()\[\]{}|\n:<>])*$")
# What a network is called in a prompt -> its cards.
NETWORKS: Mapping[str, str] = {"lora": "loras", "lyco": "loras", "hypernet": "hypernetworks"}


@dataclass(frozen=True)
class Suggestion:
    """`text` takes the place of what was typed. `kind`: "tag", "lora", "hypernetwork", "embedding", "wildcard" or
    "style"; `type`, `count`, `alias`: of a tag."""

    kind: str
    label: str
    text: str
    type: int = 0
    count: int = 0
    alias: str = ""


@dataclass(frozen=True)
class Suggestions:
    """`length`: how many of the letters before the cursor a suggestion takes the place of."""

    length: int = 0
    items: tuple[Suggestion, ...] = ()


class Studio(Protocol):
    """What is needed of a studio."""

    @property
    def flags(self) -> Flags: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def cards(self) -> Cards: ...

    @property
    def styles(self) -> StyleBook: ...


class Completion:
    """Suggestions from what a studio has. Lists that are dropped into `tags/` count at once. Safe in any thread."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._reading = threading.Lock()
        self._stamps: tuple[tuple[Path, int, int], ...] | None = None
        self._tags = TagIndex()
        self._wildcards: tuple[float, tuple[str, ...]] = (0.0, ())

    def suggest(self, before: str, limit: int = LIMIT) -> Suggestions:
        """What may be meant by the end of `before`, the prompt as far as the cursor."""
        network = _NETWORK.search(before)
        if network:
            return Suggestions(len(network[0]), tuple(self._networks(network[1], network[2], limit)))
        wildcard = _WILDCARD.search(before)
        if wildcard and wildcard[1].count("__") == 0:
            found = _containing(wildcard[1], self.wildcards())[:limit]
            return Suggestions(len(wildcard[0]), tuple(Suggestion("wildcard", name, f"__{name}__") for name in found))
        phrase = _PHRASE.search(before)
        return self._words(phrase[0].lstrip() if phrase else "", limit)

    def tags(self) -> TagIndex:
        """The tags of all lists in the folder `tags`; read again when one has changed. Nobody waits for that but the
        first who asks: the others get what is known."""
        folder = self._studio.flags.data_dir / "tags"
        if not self._reading.acquire(blocking=False):
            return self._tags
        try:
            stamps = tuple(_stamps(folder))
            if stamps != self._stamps:
                self._tags, self._stamps = TagIndex(_rows(path for path, *_ in stamps)), stamps
            return self._tags
        finally:
            self._reading.release()

    def wildcards(self) -> tuple[str, ...]:
        """The names of wildcard files, with their folders, as they are written between `__`."""
        looked, names = self._wildcards
        if not looked or time.monotonic() - looked > LOOK_AGAIN_S:
            self._wildcards = (time.monotonic(), names := tuple(_wildcards_of(self._studio.flags)))
        return names

    def _networks(self, kind: str | None, name: str, limit: int) -> Iterator[Suggestion]:
        cards = self._studio.cards
        named = {NETWORKS[kind]} if kind and kind in NETWORKS else set(NETWORKS.values())
        typed = name if kind is None or kind in NETWORKS else f"{kind} {name}"
        for list_name in sorted(named, reverse=True):
            for card in cards.search(list_name, typed, order="name", limit=limit).cards:
                text, _ = cards.prompt(list_name, card)
                yield Suggestion(list_name.removesuffix("s"), card.model.name, text, alias=card.model.base)

    def _words(self, phrase: str, limit: int) -> Suggestions:
        """For the last words of `phrase`, as many of them as mean something together."""
        words = phrase.split(" ")
        for first in range(max(0, len(words) - MOST_WORDS), len(words)):
            typed = " ".join(words[first:])
            wanted = typed.replace("\\", "").strip()
            if len(wanted) < 2 and wanted.isascii():
                continue
            items = (*self._styles(wanted), *self._embeddings(wanted))
            items += tuple(map(self._tag, self.tags().search(wanted, limit - len(items))))
            if items:
                return Suggestions(len(typed), items)
        return Suggestions()

    def _styles(self, wanted: str) -> Iterator[Suggestion]:
        styles = {style.name: style for style in self._studio.styles.styles if not style.divider and style.prompt}
        for name in _beginning(wanted, styles)[:FEW]:
            # What a style is put around is in the box already.
            text = re.sub(r",\s*{prompt}\s*(?=,)", "", styles[name].prompt).replace(PLACE, "")
            yield Suggestion("style", name, text.strip(", "))

    def _embeddings(self, wanted: str) -> Iterator[Suggestion]:
        page = self._studio.cards.search("embeddings", wanted, order="name", limit=limit_of(wanted))
        names = _beginning(wanted, [card.model.name for card in page.cards])
        return (Suggestion("embedding", name, name) for name in names[:FEW])

    def _tag(self, tag: Tag) -> Suggestion:
        settings = self._studio.settings
        text = tag.name
        # "^_^" and "o_o" are faces.
        if settings["prompt_completion_spaces"] and len(text) > 3:
            text = text.replace("_", " ")
        if settings["prompt_completion_escape"]:
            text = re.sub(r"([()\[\]])", r"\\\1", text)
        return Suggestion("tag", tag.name, text, tag.kind, tag.count, tag.alias)


def limit_of(wanted: str) -> int:
    """How many embeddings are looked at: few letters are in many names that do not begin so."""
    return 200 if len(wanted) < 4 else 50


def _beginning(wanted: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.lower().startswith(wanted.lower())]


def _containing(wanted: str, names: Iterable[str]) -> list[str]:
    """Names that have `wanted` in them, those that begin so first."""
    low = wanted.lower()
    return sorted((name for name in names if low in name.lower()), key=lambda name: not name.lower().startswith(low))


def _stamps(folder: Path) -> Iterator[tuple[Path, int, int]]:
    for path in sorted(folder.glob("*.csv")):
        state = path.stat()
        yield path, state.st_mtime_ns, state.st_size


def _rows(paths: Iterable[Path]) -> Iterator[tuple[Tag, tuple[str, ...]]]:
    """The tags of all lists that can be read; the others are named in the log and left out."""
    for path in paths:
        try:
            yield from read_tags(path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            log.warning("%s is left out: %s. Save it as CSV in UTF-8.", path, error)


def _wildcards_of(flags: Flags) -> list[str]:
    found: dict[str, Any] = {}
    for folder in (flags.data_dir / "wildcards", *sorted(flags.extensions_dir.glob("*/wildcards"))):
        for path in folder.rglob("*.txt"):
            found[path.relative_to(folder).with_suffix("").as_posix()] = None
    return sorted(found, key=str.lower)
