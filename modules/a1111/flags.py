"""`shared.cmd_opts`: the studio's flags under argparse's names, and those that extensions add in preload.py."""

from __future__ import annotations

import argparse
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from modules.studio.flag_table import Flags
from modules.studio.flags import FlagParser, spelled


class CommandLine:
    """Attributes of the studio's flags, paths as text, and of those that preload.py files declared."""

    def __init__(self, flags: Flags) -> None:
        own: dict[str, Any] = {"_flags": flags, "_own": {}}
        self.__dict__.update(own)

    @cached_property
    def parser(self) -> argparse.ArgumentParser:
        """One that knows every flag, those of preload.py files included."""
        parser = FlagParser()
        known = {action.dest for action in parser._actions}
        for name, value in self._flags.extra.items():
            if name not in known:
                parser.add_argument(spelled(name), default=value, nargs="?")
        return parser

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._own:
            return self._own[name]
        # Not None for what nobody declared: extensions ask with a default of their own.
        if not hasattr(self._flags, name):
            if name in self._flags.extra:
                return self._flags.extra[name]
            raise AttributeError(f"There is no flag --{name.replace('_', '-')}.")
        value = getattr(self._flags, name)
        if isinstance(value, tuple):
            return [str(one) if isinstance(one, Path) else one for one in value]
        return str(value) if isinstance(value, Path) else value

    def __setattr__(self, name: str, value: Any) -> None:
        self._own[name] = value

    def __contains__(self, name: str) -> bool:
        return hasattr(self, name)

    def __delattr__(self, name: str) -> None:
        self._own.pop(name, None)

    def read(self, arguments: list[str] | None = None) -> None:
        """Takes the values of flags that preload.py files have declared from the command line."""
        known, _ = self.parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
        self._own.update(vars(known))
