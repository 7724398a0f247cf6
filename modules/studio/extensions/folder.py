"""The extensions of the studio: folders in `extensions/`, on or off, and what went wrong while they were used."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.studio.extensions.built_in import done_here
from modules.studio.extensions.metadata import Metadata
from modules.studio.extensions.watch import NOTE, StartWatch

if TYPE_CHECKING:
    from modules.studio.flag_table import Flags
    from modules.studio.settings_file import SettingsFile

log = logging.getLogger("atelier.extensions")

BASE = "base"


@dataclass(frozen=True)
class Extension:
    """One folder. `canonical_name`: the folder's name in lower case, which other extensions refer to."""

    path: Path
    enabled: bool
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def canonical_name(self) -> str:
        return self.path.name.lower()

    def files(self, folder: str, *suffixes: str) -> list[Path]:
        """The files of a sub-folder with one of these endings, by name."""
        where = self.path / folder
        return sorted(path for path in where.iterdir() if path.suffix in suffixes) if where.is_dir() else []


@dataclass(frozen=True)
class Failure:
    """Something of an extension that did not work. what: which part; sentence: the last line; details: the trace."""

    what: str
    sentence: str
    details: str


class Extensions:
    """Looks at the folder whenever asked; remembers failures and load times until the next start."""

    def __init__(self, flags: Flags, settings: SettingsFile) -> None:
        self.folder = flags.data_dir / "extensions"
        self._flags, self._settings = flags, settings
        self._lock = threading.Lock()
        self._failures: dict[str, list[Failure]] = {}
        self._active: list[Extension] | None = None
        self._names: dict[str, str] = {}
        self._constraints: tuple[dict[str, list[str]], dict[str, list[str]]] | None = None
        self.starts = StartWatch(flags.cache_dir / NOTE)
        broke = self.starts.found
        if broke.extension and broke.sentence:
            self._failures[broke.extension] = [Failure("the last start", broke.sentence, broke.details)]
        self.packages = flags.data_dir / "extension-packages"
        self.load_seconds: dict[str, float] = {}

    def all(self) -> list[Extension]:
        """Every folder, by name; of two whose names differ in case alone, the first."""
        disabled = {name.lower() for name in self._settings.current["disabled_extensions"]}
        folders = sorted(self.folder.iterdir(), key=lambda path: path.name) if self.folder.is_dir() else []
        found: dict[str, Extension] = {}
        for path in folders:
            if path.is_dir() and not path.name.startswith(".") and path.name.lower() not in found:
                found[path.name.lower()] = Extension(path, path.name.lower() not in disabled, Metadata.read(path))
        return list(found.values())

    def active(self) -> list[Extension]:
        """Those that take part until the next start: none in safe mode, where a flag or setting turns all of them off,
        or after starts that broke off for no known reason; and not one that broke the last start."""
        with self._lock:
            if self._active is None:
                self._active = self._chosen()
            return self._active

    @property
    def all_off(self) -> bool:
        """Whether a setting turns all of them off."""
        return str(self._settings.current["disable_all_extensions"]) != "none"

    def set_disabled(self, names: Sequence[str], *, all_off: bool = False) -> None:
        """Which extensions are off from the next start on; all_off: all, and these when that is taken back."""
        changes: dict[str, Any] = {"disabled_extensions": tuple(names)}
        if all_off != self.all_off:
            changes["disable_all_extensions"] = "extra" if all_off else "none"
        self._settings.change(changes)

    def _chosen(self) -> list[Extension]:
        flags = self._flags
        if flags.safe_mode or flags.disable_all_extensions or flags.disable_extra_extensions:
            return []
        if self.starts.without_extensions:
            return []
        if self.all_off:
            return []
        culprit = self.starts.culprit
        chosen = [one for one in self.all() if one.enabled and one.canonical_name != culprit]
        for one in chosen:
            if done_here(one.name):
                log.info("%s: %s", one.name, done_here(one.name))
        return [one for one in chosen if not done_here(one.name)]

    def name_of(self, filename: str) -> str:
        """The canonical name of the extension that a file belongs to; "base" for the studio's own."""
        # Asked for at every component of the page; links are followed, so the disk is.
        if filename not in self._names:
            try:
                self._names[filename] = Path(filename).resolve().relative_to(self.folder.resolve()).parts[0].lower()
            except (ValueError, IndexError):
                self._names[filename] = BASE
        return self._names[filename]

    def failed(self, extension: str, what: str, error: BaseException) -> None:
        """Takes note that a part of an extension did not work; the rest goes on."""
        details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        failure = Failure(what, f"{type(error).__name__}: {error}", details)
        with self._lock:
            known = self._failures.setdefault(extension, [])
            seen = any(one.what == what and one.sentence == failure.sentence for one in known)
            if not seen:
                known.append(failure)
        if not seen:
            log.warning("The extension %s failed in %s: %s", extension, what, failure.sentence)
            log.debug("%s", details)

    def blame(self, error: BaseException) -> str:
        """The extension whose code raised `error` last, which then sits out the next start; "" if none did."""
        frames = traceback.extract_tb(error.__traceback__)
        name = next((name for frame in reversed(frames) if (name := self.name_of(frame.filename)) != BASE), "")
        if name:
            details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self.starts.blame(name, f"{type(error).__name__}: {error}", details)
        return name

    def failures(self, extension: str) -> tuple[Failure, ...]:
        """What went wrong since the start."""
        with self._lock:
            return tuple(self._failures.get(extension.lower(), ()))

    def callback_constraints(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """What the metadata says of the order of callbacks: name -> those it stands before, and behind."""
        if self._constraints is None:
            self._constraints = self._read_constraints()
        return self._constraints

    def _read_constraints(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        befores: dict[str, list[str]] = {}
        afters: dict[str, list[str]] = {}
        for extension in self.active():
            for table, into in ((extension.metadata.before, befores), (extension.metadata.after, afters)):
                for section, names in table.items():
                    if section.startswith("callbacks/"):
                        into.setdefault(section.removeprefix("callbacks/").lower(), []).extend(names)
        return befores, afters
