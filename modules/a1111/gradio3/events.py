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
    if options.get("api_name") is None:
        # Named after its function it would be an endpoint, which the page describes to every browser; nobody asked.
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
        return listener(*_filling(args, options), **translated(options))

    taking.takes_gradio3 = True  # type: ignore[attr-defined]
    return taking


def _filling(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments of an event; a function of modules.call_queue is told how many outputs it has to fill if it fails.

    args: component, fn, inputs, outputs, as far as they are not in `options`, which is changed.
    """
    given = {**dict(zip(("component", "fn", "inputs", "outputs"), args, strict=False)), **options}
    filling, outputs = getattr(given.get("fn"), "filling", None), given.get("outputs")
    if filling is None or not isinstance(outputs, (list, tuple, set)):
        return args
    if "fn" in options:
        options["fn"] = filling(len(outputs))
        return args
    return (args[0], filling(len(outputs)), *args[2:])


def _owners() -> set[type]:
    from gradio.blocks import Block

    return {owner for kind in below(Block) for owner in kind.__mro__}


def below(kind: type) -> Iterator[type]:
    """Every class that derives from `kind`."""
    one: type
    for one in kind.__subclasses__():
        yield one
        yield from below(one)
