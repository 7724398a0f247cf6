"""Settings that extensions declare while the page is built."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


class Templates(dict[str, Any]):
    """`shared.options_templates`: what is put here is a setting at once, so that it can be read while importing."""

    def __init__(self, opts: Any) -> None:
        super().__init__()
        self._opts = opts

    def __setitem__(self, key: str, info: Any) -> None:
        super().__setitem__(key, info)
        self._opts.add_option(key, info)

    def update(self, *others: Any, **more: Any) -> None:
        entries: MutableMapping[str, Any] = dict(*others, **more)
        for key, info in entries.items():
            self[key] = info
