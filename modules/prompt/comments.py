"""Remarks in a prompt, from `#` to the end of the line."""

from __future__ import annotations

import re

_WHOLE_LINE = re.compile(r"(^|\n)#[^\n]*(\n|$)")
_END_OF_LINE = re.compile(r"#[^\n]*(\n|$)")


def strip_comments(text: str) -> str:
    """`text` without its remarks; each leaves a line break behind. A `#` cannot be escaped."""
    return _END_OF_LINE.sub("\n", _WHOLE_LINE.sub("\n", text))
