"""The settings in force and the file that keeps them: one snapshot at a time, changed and saved as a whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from modules.settings.setting import Setting
from modules.settings.store import Locks, Settings
from modules.studio.flag_table import Flags

log = logging.getLogger("atelier.settings")


class SettingsFile:
    """`current` is frozen, so whoever holds it keeps what it began with."""

    def __init__(self, flags: Flags) -> None:
        self.path = flags.ui_settings_file
        self._lock = threading.Lock()
        self._listeners: list[Callable[[tuple[str, ...]], None]] = []
        self.current = Settings.load(self.path, locks=locks_of(flags))
        for note in self.current.notes:
            log.warning("%s", note)

    def change(self, values: Mapping[str, Any], *, from_api: bool = False) -> tuple[str, ...]:
        """Changes settings for good. Returns: the keys that changed.

        Raises: NotFound, BadRequest, Refused (terms.errors), or OSError if the file cannot be written; then nothing
        has changed.
        """
        with self._lock:
            before = self.current
            after = before.with_flat(values, from_api=from_api)
            changed = tuple(after.changed_since(before))
            if changed:
                after.save(self.path)
                self.current = after
        if changed:
            for heard in self._listeners:
                heard(changed)
        return changed

    def listen(self, heard: Callable[[tuple[str, ...]], None]) -> None:
        """Calls `heard` with the keys whenever settings have changed."""
        self._listeners.append(heard)

    def extend(self, settings: Iterable[Setting]) -> None:
        """Takes in settings of extensions; what the file has under their keys is their value."""
        with self._lock:
            self.current = self.current.with_catalogue(self.current.catalogue.extended(settings))


def locks_of(flags: Flags) -> Locks:
    """What the command line forbids to change."""

    def names(text: str | None) -> frozenset[str]:
        return frozenset(name.strip() for name in (text or "").split(",") if name.strip())

    return Locks(
        everything=flags.freeze_settings,
        sections=names(flags.freeze_settings_in_sections),
        keys=names(flags.freeze_specific_settings),
        locations=flags.hide_ui_dir_config,
        strangers=flags.open_to_strangers,
    )
