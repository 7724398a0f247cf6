"""Applies all of it, once in a process."""

from __future__ import annotations

import functools

from modules.a1111.gradio3 import constructors, events, names, sketch, updates


@functools.lru_cache(maxsize=1)
def apply() -> None:
    """From now on code for Gradio 3.41 runs. It stays: classes of extensions derive from what was changed."""
    updates.apply()
    events.apply()
    names.apply()
    constructors.apply()
    sketch.apply()
