"""The settings as they stand: read like a mapping, changed by making another, kept in config.json."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modules.settings.catalogue import Catalogue
from modules.settings.sections import SETTINGS
from modules.settings.setting import Setting
from modules.settings.values import accepted
from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, Refused

# They decide which code runs at the next start.
OF_EXTENSIONS = frozenset({"disabled_extensions", "disable_all_extensions", "restore_config_state_file"})


@dataclass(frozen=True)
class Locks:
    """Which settings must not change: all, those of some sections (by id), some keys, those that say where files go.

    strangers: whoever can reach the studio may ask, so neither those that say where files go, nor those of extensions,
    nor those that requests cannot change.
    """

    everything: bool = False
    sections: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    locations: bool = False
    strangers: bool = False

    def reason(self, setting: Setting) -> str | None:
        """The flag that forbids changing `setting`, None if it may change."""
        if self.everything:
            return "--freeze-settings"
        if setting.section.id in self.sections:
            return "--freeze-settings-in-sections"
        if setting.key in self.keys:
            return "--freeze-specific-settings"
        return "--hide-ui-dir-config" if self.locations and setting.location else None

    def kept_from_strangers(self, setting: Setting) -> bool:
        """Whether `setting` must not change because anybody could ask for it."""
        return self.strangers and (setting.location or setting.api_restricted or setting.key in OF_EXTENSIONS)


@dataclass(frozen=True)
class Settings(Mapping[str, Any]):
    """A value for every setting of the catalogue; what is not in `chosen` has its default.

    `unknown` are entries of the file that no setting claims (of an extension that is off, of a newer version):
    they can be read and are written back as they were. `notes` says what was found wrong while loading.
    """

    chosen: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, Any] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=lambda: SETTINGS)
    locks: Locks = Locks()
    notes: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        if key in self.chosen:
            return self.chosen[key]
        if key in self.catalogue:
            return self.catalogue[key].default
        return self.unknown[key]

    def __iter__(self) -> Iterator[str]:
        yield from self.catalogue
        yield from (key for key in self.unknown if key not in self.catalogue)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def with_flat(self, changes: Mapping[str, Any], *, from_api: bool = False) -> Settings:
        """A copy in which these settings have these values; text is read as the setting's type.

        `from_api` leaves alone what requests cannot change. Values that are as they stand pass even where locked,
        so that clients may send back everything that they read.
        Raises: NotFound for an unknown key, BadRequest for a wrong value, Refused for a locked setting.
        """
        changed = dict(self.chosen)
        unknown = dict(self.unknown)
        for key, value in changes.items():
            if key in unknown and key not in self.catalogue and value == unknown[key]:
                continue
            setting = self.catalogue.find(key)
            kept = accepted(setting, value)
            if kept == self[key] and type(kept) is type(self[key]):
                continue
            if from_api and setting.api_restricted:
                continue
            flag = self.locks.reason(setting)
            if flag:
                raise Refused(f"{setting.label} ({key}) cannot be changed: the studio was started with {flag}.")
            if self.locks.kept_from_strangers(setting):
                raise Refused(
                    f"{setting.label} ({key}) cannot be changed while others can reach the studio without a password "
                    "(--gradio-auth)."
                )
            changed[key] = kept
            unknown.pop(key, None)
        return replace(self, chosen=changed, unknown=unknown, notes=())

    def with_catalogue(self, catalogue: Catalogue) -> Settings:
        """A copy over another catalogue: values that it knows are taken out of `unknown`, others go there."""
        return read_values({**self.unknown, **self.chosen}, catalogue, self.locks)

    def changed_since(self, before: Settings) -> list[str]:
        """The keys whose value is another than in `before`."""
        return [key for key in self.catalogue if self[key] != before.get(key)]

    def as_json(self) -> dict[str, Any]:
        """Every setting and every unknown entry with its value, tuples as lists."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in self.items()}

    def save(self, path: Path) -> None:
        """Write all settings to `path` as A1111 does: flat JSON, indented by 4. The file is never half written."""
        flat = {**self.as_json(), **self.unknown}
        with replacing(path) as draft:
            draft.write_text(json.dumps(flat, indent=4, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, catalogue: Catalogue = SETTINGS, locks: Locks | None = None) -> Settings:
        """The settings kept in `path`; the defaults if there is no such file.

        A file that cannot be read as settings is renamed, not lost, and `notes` says so.
        """
        locks = locks or Locks()
        try:
            stored = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return cls(catalogue=catalogue, locks=locks)
        except ValueError as error:
            return cls(catalogue=catalogue, locks=locks, notes=(_set_aside(path, str(error)),))
        if not isinstance(stored, dict):
            note = _set_aside(path, "it does not hold names with values")
            return cls(catalogue=catalogue, locks=locks, notes=(note,))
        return read_values(migrated(stored), catalogue, locks)


def read_values(stored: Mapping[str, Any], catalogue: Catalogue = SETTINGS, locks: Locks | None = None) -> Settings:
    """Settings from a stored flat mapping. What does not fit its setting is noted and kept as unknown."""
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    notes: list[str] = []
    for key, value in stored.items():
        if key not in catalogue:
            unknown[key] = value
            continue
        try:
            values[key] = accepted(catalogue[key], value)
        except BadRequest as wrong:
            unknown[key] = value
            notes.append(f"{wrong} The default is used.")
    return Settings(values, unknown, catalogue, locks or Locks(), tuple(notes))


def migrated(stored: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` with the names of older versions of A1111 replaced by today's."""
    values = dict(stored)
    if "sd_vae_as_default" in values:
        as_default = values.pop("sd_vae_as_default")
        values.setdefault("sd_vae_overrides_per_model_preferences", not as_default)
    for old, new in (("quicksettings", "quicksettings_list"), ("ui_reorder", "ui_reorder_list")):
        if isinstance(values.get(old), str):
            names = [name.strip() for name in values.pop(old).split(",") if name.strip()]
            values.setdefault(new, names)
    return values


def _set_aside(path: Path, why: str) -> str:
    """Rename `path` to a name that is free; returns the sentence for the user."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    number = 1
    while aside.exists():
        aside = path.with_name(f"{path.name}.broken-{stamp}-{number}")
        number += 1
    path.rename(aside)
    return f"The settings in {path.name} could not be read ({why}). They are kept as {aside.name}; defaults are used."
