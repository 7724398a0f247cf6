"""An accordion and the checkbox behind it say the same."""

from __future__ import annotations

from typing import Any


def follow(switch: Any, accordion: Any) -> None:
    """From now on opening `accordion` checks `switch`, and the other way round."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    accordion.expand(fn=None, js="() => true", outputs=switch, **quiet)
    accordion.collapse(fn=None, js="() => false", outputs=switch, **quiet)
    # In the browser alone: with the server's answer on its way, two quick changes would chase each other for ever.
    switch.change(
        fn=None, js="(on) => ({ __type__: 'update', open: Boolean(on) })", inputs=switch, outputs=accordion, **quiet
    )
