"""Events with the arguments of Gradio 3: `_js=`, `show_api=`, `every=` and their like."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from modules.a1111.gradio3.origin import note

DROPPED = frozenset({"status_tracker", "every", "_preprocess", "max_threads"})


def translated(options: dict[str, Any]) -> dict[str, Any]:
    """The keywords of an event as Gradio 6 takes them."""
    if "_js" in options:
        note("_js=")
        options.setdefault("js", options.pop("_js"))
    if "show_api" in options:
        options.setdefault("api_visibility", "public" if options.pop("show_api") else "undocumented")
    if options.get("api_name") is False:
        del options["api_name"]
        options.setdefault("api_visibility", "private")
    if isinstance(options.get("show_progress"), bool):
        options["show_progress"] = "full" if options["show_progress"] else "hidden"
    if "queue" in options and options["queue"] is None:
        del options["queue"]
    for name in DROPPED & set(options):
        note(f"{name}=")
        del options[name]
    return options


def apply() -> None:
    """Every event method, those of today's components and of classes yet to come, takes the old arguments."""
    from gradio import events

    made = events.EventListener._setup
    events.EventListener._setup = staticmethod(lambda *args, **options: wrapped(made(*args, **options)))  # type: ignore[method-assign, assignment]
    for owner in _owners():
        for event in (*getattr(owner, "EVENTS", ()), "load", "unload"):
            method = vars(owner).get(str(event))
            if callable(method) and not isinstance(method, (classmethod, staticmethod)):
                setattr(owner, str(event), wrapped(method))


def wrapped(listener: Callable[..., Any]) -> Callable[..., Any]:
    """`listener` that takes old arguments, too."""
    if getattr(listener, "takes_gradio3", False):
        return listener

    @functools.wraps(listener)
    def taking(*args: Any, **options: Any) -> Any:
        return listener(*args, **translated(options))

    taking.takes_gradio3 = True  # type: ignore[attr-defined]
    return taking


def _owners() -> set[type]:
    from gradio.blocks import Block

    return {owner for kind in below(Block) for owner in kind.__mro__}


def below(kind: type) -> Iterator[type]:
    """Every class that derives from `kind`."""
    one: type
    for one in kind.__subclasses__():
        yield one
        yield from below(one)
