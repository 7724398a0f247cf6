"""Names that Gradio no longer has."""

from __future__ import annotations

import base64
import functools
import inspect
import io
import sys
import tempfile
import types
from typing import Any

EVENT_CLASSES = (
    "Changeable",
    "Clearable",
    "Clickable",
    "Submittable",
    "Editable",
    "Playable",
    "Streamable",
    "Blurrable",
    "Uploadable",
    "Selectable",
    "Releaseable",
    "Inputable",
    "Focusable",
)
INPUTS = ("Textbox", "Slider", "Checkbox", "Dropdown", "Radio", "Image", "Number", "File", "Audio", "Video")


def apply() -> None:
    """Puts the names back."""
    import gradio as gr
    from gradio import components, events, processing_utils

    class Box(gr.Group):
        def get_block_name(self) -> str:
            return "group"

    gr.Box, gr.Variable = Box, gr.State
    components.IOComponent = components.Component
    for name in EVENT_CLASSES:
        if not hasattr(events, name):
            setattr(events, name, type(name, (), {}))
    old = {name: _taking_default(getattr(gr, name)) for name in INPUTS if hasattr(gr, name)}
    for name in ("inputs", "outputs"):
        module = types.ModuleType(f"gradio.{name}")
        vars(module).update(old)
        sys.modules.setdefault(f"gradio.{name}", module)
        setattr(gr, name, module)
    deprecation: Any = types.ModuleType("gradio.deprecation")
    deprecation.GradioDeprecationWarning = type("GradioDeprecationWarning", (UserWarning,), {})
    deprecation.GradioUnusedKwargWarning = deprecation.GradioDeprecationWarning
    sys.modules["gradio.deprecation"] = gr.deprecation = deprecation
    helpers: Any = processing_utils
    helpers.decode_base64_to_image = decode_base64_to_image
    helpers.encode_pil_to_base64 = encode_pil_to_base64
    helpers.decode_base64_to_file = decode_base64_to_file
    _queue(gr)


def _taking_default(kind: Any) -> Any:
    """What makes the component as `gradio.inputs` did, where the value was called default."""

    @functools.wraps(kind)
    def making(*args: Any, **options: Any) -> Any:
        if "default" in options:
            options.setdefault("value", options.pop("default"))
        return kind(*args, **options)

    return making


def decode_base64_to_image(encoding: str) -> Any:
    """The picture of a data URL or of plain base64."""
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(encoding.split(",", 1)[-1])))


def encode_pil_to_base64(image: Any) -> str:
    """A PNG data URL."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def decode_base64_to_file(encoding: str, **_: Any) -> Any:
    """A closed temporary file with what a data URL holds; `.name` is its path."""
    with tempfile.NamedTemporaryFile(delete=False, suffix=".png") as file:
        file.write(base64.b64decode(encoding.split(",", 1)[-1]))
    return file


def _queue(gr: Any) -> None:
    queue = gr.Blocks.queue
    known = frozenset(inspect.signature(queue).parameters)

    def queueing(self: Any, *args: Any, concurrency_count: int | None = None, **options: Any) -> Any:
        if concurrency_count:
            options["default_concurrency_limit"] = concurrency_count
        return queue(self, *args, **{name: value for name, value in options.items() if name in known})

    gr.Blocks.queue = queueing
