"""What the studio's own scripts use beyond A1111's modules."""

from __future__ import annotations

from modules.a1111.plot import Cell, Plot, annotated  # noqa: F401
from modules.generation.axis_values import as_list, listed, typed  # noqa: F401
from modules.generation.infotext import take_apart, write
from modules.terms.errors import BadRequest, NotFound, WebuiError  # noqa: F401


def with_entries(infotext, more):
    """`infotext` with more entries, in front of what says the version."""
    parts = take_apart(infotext)
    last = {key: parts.entries.pop(key) for key in ("Version", "User") if key in parts.entries}
    return write(parts.prompt, parts.negative_prompt, {**parts.entries, **more, **last})
