"""Components made with the arguments of Gradio 3."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from modules.a1111.bound import bound
from modules.a1111.gradio3.events import below
from modules.a1111.gradio3.origin import asked_by_extension, note

# Buttons in the corner of a component, which were an argument each: old argument -> name in `buttons`.
BUTTONS = {
    "show_download_button": "download",
    "show_copy_button": "copy",
    "show_share_button": "share",
    "show_fullscreen_button": "fullscreen",
}
VARIANTS = ("primary", "secondary", "stop", "huggingface")
# Place of the value among the arguments, and what it was when nobody gave one. A list began with no choice made.
BEGINNINGS: Mapping[str, tuple[int, Any]] = {
    "Textbox": (0, ""),
    "TextArea": (0, ""),
    "HTML": (0, ""),
    "Markdown": (0, ""),
    "Dropdown": (1, None),
}


def apply() -> None:
    """Every constructor of Gradio's components drops what it no longer knows and takes old words for new ones."""
    import gradio as gr
    from gradio.blocks import Block

    for kind in set(below(Block)):
        parts = kind.__module__.split(".")
        if parts[0] == "gradio" and len(parts) > 1 and parts[1] in ("components", "layouts", "templates"):
            _wrap(kind)
    _wrap(gr.Blocks, also=frozenset({"css", "theme", "title", "head", "js"}))


def _wrap(kind: type, also: frozenset[str] = frozenset()) -> None:
    init: Callable[..., None] | None = vars(kind).get("__init__")
    if init is None or getattr(init, "takes_gradio3", False):
        return
    parameters = inspect.signature(init).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()) and not also:
        return
    known = frozenset(parameters) - {"kwargs"} | also

    @functools.wraps(init)
    def taking(self: Any, *args: Any, **options: Any) -> None:
        _beginnings(kind, args, options)
        init(self, *args, **translated(kind, known, options))

    taking.takes_gradio3 = True  # type: ignore[attr-defined]
    # Gradio asks for it with every component and every configuration; worked out once, that is free.
    taking.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]
    kind.__init__ = taking  # type: ignore[misc]


def translated(kind: type, known: frozenset[str], options: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a constructor as Gradio 6 takes them. What it does not know is dropped, as 3.41 did."""
    if "source" in options and "sources" in known:
        source = options.pop("source")
        wanted = {"canvas": ["upload"]}.get(source, [source] if isinstance(source, str) else source)
        options.setdefault("sources", wanted)
    for old, button in BUTTONS.items():
        if old in options and old not in known:
            _button(options, known, button, bool(options.pop(old)))
    _values(kind, options)
    if kind.__name__ == "Blocks" and asked_by_extension():
        # What a page of its own would have looked like; as a part of ours it brings its style along.
        bound().styles.append(str(options.pop("css", None) or ""))
        for name in ("theme", "head", "js"):
            options.pop(name, None)
    for name in set(options) - known:
        note(f"{kind.__name__}({name}=)")
        del options[name]
    if options.get("visible") is False and "visible" in known and kind.__name__ != "Tab" and asked_by_extension():
        # In Gradio 3 it was there, but not to be seen: scripts in the browser press such buttons and fill such fields.
        options["visible"] = "hidden"
    return options


def _beginnings(kind: type, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """What a component of an extension holds that was given no value, where that is another one today."""
    place, value = BEGINNINGS.get(kind.__name__, (0, ...))
    if value is ... or "value" in options or len(args) > place or options.get("multiselect"):
        return
    if asked_by_extension():
        options["value"] = value


def _button(options: dict[str, Any], known: frozenset[str], button: str, wanted: bool) -> None:
    if "buttons" in known and not wanted:
        options["buttons"] = [one for one in options.get("buttons") or [] if one != button]


def _values(kind: type, options: dict[str, Any]) -> None:
    """Old words for values."""
    name = kind.__name__
    if options.get("type") in ("file", "bytes") and name in ("File", "UploadButton"):
        options["type"] = "filepath" if options["type"] == "file" else "binary"
    if isinstance(options.get("scale"), float):
        scale = options["scale"]
        options["scale"] = 0 if scale == 0 else max(1, round(scale))
    if "variant" in options and name in ("Button", "UploadButton", "DownloadButton"):
        options["variant"] = options["variant"] if options["variant"] in VARIANTS else "secondary"
    if "variant" in options and name in ("Row", "Column"):
        known = options["variant"] in ("default", "panel", "compact")
        options["variant"] = options["variant"] if known else "default"
    if name == "Slider" and options.get("minimum") is not None and options.get("minimum") == options.get("maximum"):
        options["maximum"] = options["minimum"] + (options.get("step") or 1)
    if name == "CheckboxGroup" and options.get("value") is False:
        # Taken for "none"; today what is no choice stops every event that hands it over.
        options["value"] = []
    if name == "State" and callable(options.get("value")) and asked_by_extension():
        options["value"] = options["value"]()
    if name == "Gallery":
        for old, new in (("grid", "columns"), ("object_fit", "object_fit")):
            if old in options:
                options.setdefault(new, options.pop(old))


def shown(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` of an update with "hidden" for what Gradio 3 meant by not visible."""
    changed = dict(changes)
    if changed.get("visible") is False:
        changed["visible"] = "hidden"
    return changed
