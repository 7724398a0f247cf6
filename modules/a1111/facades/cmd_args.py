"""The parser of flags, to which preload.py files add."""

from __future__ import annotations

from modules.shared import parser  # noqa: F401 - the name is the module
