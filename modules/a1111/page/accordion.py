"""An accordion and the checkbox behind it say the same."""

from __future__ import annotations

from typing import Any


def follow(switch: Any, accordion: Any) -> None:
    """From now on opening `accordion` checks `switch`, and the other way round."""
    import gradio as gr

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    accordion.expand(fn=None, js="() => true", outputs=switch, **quiet)
    accordion.collapse(fn=None, js="() => false", outputs=switch, **quiet)
    switch.change(lambda on: gr.update(open=bool(on)), switch, accordion, **quiet)
