"""`gr.Dropdown.update(…)`, `.style(…)`, and classes that derive from components."""

from __future__ import annotations

import functools
from typing import Any

from modules.a1111.gradio3.constructors import shown
from modules.a1111.gradio3.origin import asked_by_extension, note

STYLES = {"grid": "columns", "columns": "columns", "rows": "rows", "height": "height", "container": "container"}
ABSTRACT = ("FormComponent", "Component", "ComponentBase", "BlockContext", "Block")


def apply() -> None:
    """Puts the methods that Gradio 3 had back on every component."""
    import gradio as gr
    from gradio.blocks import Block

    write_no_stubs()
    Block.update = classmethod(_update)  # type: ignore[attr-defined]
    Block.style = _style  # type: ignore[attr-defined]
    name, config = Block.get_block_name, Block.get_config
    Block.get_block_name = lambda self: _own_name(self) or name(self)  # type: ignore[method-assign]
    Block.get_block_class = Block.get_block_name  # type: ignore[method-assign]
    # A class whose constructor takes **options has no list of properties to put into the page: its base's is taken.
    Block.get_config = lambda self, cls=None: config(self, cls or _base(type(self)))  # type: ignore[method-assign]
    update = gr.update

    @functools.wraps(update)
    def updating(*args: Any, **changes: Any) -> Any:
        return update(*args, **(shown(changes) if asked_by_extension() else changes))

    gr.update = updating


def write_no_stubs() -> None:
    """Gradio writes a .pyi beside the file of every class that derives from a component: not into folders of others."""
    from gradio import component_meta

    component_meta.create_or_modify_pyi = lambda *_, **__: None  # type: ignore[assignment]


def _update(cls: type, *args: Any, **changes: Any) -> dict[str, Any]:
    import gradio as gr

    note(f"{cls.__name__}.update()")
    changes.pop("__type__", None)
    if args:
        changes["value"] = args[0]
    return gr.update(**shown(changes))


def _style(self: Any, **options: Any) -> Any:
    note(".style()")
    for name, value in options.items():
        if name in STYLES and hasattr(self, STYLES[name]):
            setattr(self, STYLES[name], value)
    return self


def _base(kind: type) -> type:
    """The nearest class of Gradio's own that is a component."""
    for one in kind.__mro__:
        if one.__module__.startswith("gradio.") and "__init__" in vars(one) and one.__name__ not in ABSTRACT:
            return one
    return kind


def _own_name(block: Any) -> str:
    """The name under which the page knows a component: that of the class of Gradio's which it derives from."""
    kind = type(block)
    if kind.__module__.startswith("gradio."):
        return ""
    overridden = next(one for one in kind.__mro__ if "get_block_name" in vars(one))
    if not overridden.__module__.startswith("gradio."):
        return ""
    base = _base(kind)
    return (base.__base__ or base).__name__.lower() if "is_template" in vars(base) else base.__name__.lower()
