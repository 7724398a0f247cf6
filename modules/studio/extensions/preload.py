"""The `preload(parser)` functions of extensions, by which they declare command line flags of their own."""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.studio.extensions.watch import NOTE, TOO_OFTEN, read_note
from modules.studio.flag_table import Flags
from modules.studio.flags import flags_known_so_far

log = logging.getLogger("atelier.extensions")

Preload = Callable[[argparse.ArgumentParser], object]


def preloads(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> list[Preload]:
    """Those of the extensions that take part, as far as flags and the settings file say before anything is started."""
    flags = flags_known_so_far(argv, os.environ if environ is None else environ)
    if flags.safe_mode or flags.disable_all_extensions or flags.disable_extra_extensions:
        return []
    settings = _settings_in(flags)
    if settings.get("disable_all_extensions", "none") != "none":
        return []
    note = read_note(flags.cache_dir / NOTE)
    if note is not None and not note.extension and note.unknown >= TOO_OFTEN:
        return []
    disabled = {str(name).lower() for name in settings.get("disabled_extensions") or ()}
    if note is not None:
        disabled.add(note.extension)
    folder = flags.data_dir / "extensions"
    files = sorted(folder.glob("*/preload.py")) if folder.is_dir() else []
    return [_guarded(file) for file in files if file.parent.name.lower() not in disabled]


def _settings_in(flags: Flags) -> Mapping[str, Any]:
    try:
        read = json.loads(flags.ui_settings_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _guarded(file: Path) -> Preload:
    """What the file declares; one that fails is told of and passed over."""

    def preload(parser: argparse.ArgumentParser) -> None:
        spec = importlib.util.spec_from_file_location(f"preload_{file.parent.name}", file)
        if spec is None or spec.loader is None:
            return
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            if hasattr(module, "preload"):
                module.preload(parser)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
            log.warning("The extension %s failed in preload.py: %s: %s", file.parent.name, type(error).__name__, error)

    return preload
