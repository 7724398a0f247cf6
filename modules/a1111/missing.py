"""What is not offered says so: the name, who wanted it, and where the list of what is offered stands."""

from __future__ import annotations

import inspect

from modules.a1111.bound import bound

PAGE = "docs/extensions.md"


class NotOffered(AttributeError):
    """A name of A1111 that this studio has no counterpart for."""


def not_offered(module: str, name: str) -> NotOffered:
    """The error for `module.name`, to be raised by a module's `__getattr__`."""
    for frame in inspect.stack()[2:]:
        if "/modules/a1111/" not in frame.filename.replace("\\", "/") and "importlib" not in frame.filename:
            asked = bound().studio.extensions.name_of(frame.filename)
            break
    else:
        asked = "an extension"
    return NotOffered(f"{module}.{name} is not offered here; {asked} asked for it. {PAGE} lists what is.")
