"""While the page is built, extensions hear of every component before and after it is made, by its elem_id."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from modules.a1111.gradio3.origin import asked_by_extension


@contextmanager
def heard() -> Iterator[None]:
    """Within: making a component calls before_component and after_component of callbacks and of the tab's scripts.

    Gradio has no such moment of its own, so the two constructors that every component passes through are wrapped, and
    unwrapped at the end. Every component also gets the class `gradio-<kind>`, which style sheets look for.
    """
    from gradio.blocks import BlockContext
    from gradio.components import Component

    before = [(owner, owner.__init__) for owner in (Component, BlockContext)]
    for owner, init in before:
        setattr(owner, "__init__", _telling(init))  # noqa: B010 - a method is put in place
    try:
        yield
    finally:
        for owner, init in before:
            setattr(owner, "__init__", init)  # noqa: B010


def pair_choices() -> None:
    """Makes pairs of choices that extensions wrote as plain words into a component of the page once it was made."""
    from gradio.context import Context

    blocks: list[Any] = [] if Context.root_block is None else list(Context.root_block.blocks.values())
    for block in blocks:
        choices = getattr(block, "choices", None)
        if isinstance(choices, list) and not all(isinstance(one, tuple) for one in choices):
            block.choices = [tuple(one) if isinstance(one, (list, tuple)) else (str(one), one) for one in choices]


def _telling(init: Callable[..., None]) -> Callable[..., None]:
    from modules import script_callbacks, scripts

    @functools.wraps(init)
    def telling(self: Any, *args: Any, **options: Any) -> None:
        # A class of an extension may call the constructors of two of its bases: one component, told once.
        if getattr(self, "_told", False):
            init(self, *args, **options)
            return
        self._told = True
        runner = scripts.scripts_current
        if runner is not None:
            runner.before_component(self, **options)
        script_callbacks.before_component_callback(self, **options)
        init(self, *args, **options)
        scripts.add_classes_to_gradio_component(self)
        if self.get_block_name() == "accordion" and asked_by_extension():
            # Scripts of extensions look for what stands in it before anybody has opened it: static/mounting.js.
            self.elem_classes.append("of-extension")
        script_callbacks.after_component_callback(self, **options)
        if runner is not None:
            runner.after_component(self, **options)

    telling.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]
    return telling
