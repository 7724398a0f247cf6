"""What a page tells the browser of its components and events: what the browser reads, and no more.

Gradio also describes, for clients of its API, what every component takes and gives. No browser reads that; it was a
quarter of a page with extensions and half of the time to describe it (measured on 6.31).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from gradio import utils
from gradio.block_function import BlockFunction
from gradio.blocks import Block, Blocks

# Of events: what browsers do not read, and what they take for absent when it is None, False or empty.
_OF_THE_SERVER = ("api_description", "batch", "collects_event_data", "max_batch_size", "scroll_to_output")
_OFTEN_EMPTY = (
    "component_prop_inputs",
    "event_specific_args",
    "js",
    "js_implementation",
    "render_id",
    "rendered_in",
    "show_progress_on",
    "time_limit",
    "trigger_after",
    "trigger_only_on_failure",
    "trigger_only_on_success",
)


def described(blocks: Blocks) -> dict[str, Any]:
    """The layout, components and events of `blocks` for its configuration. What events of its API take and give is
    described in full: clients ask for that."""
    config = blocks.default_config
    served = _served(blocks.fns.values())
    in_full = config.config_for_block

    def one(number: int, rendered: list[int], block: Block, renderable: Any = None) -> dict[str, Any]:
        return in_full(number, rendered, block, renderable) if number in served else component(block)

    config.config_for_block = one  # type: ignore[method-assign, assignment]
    try:
        found: dict[str, Any] = config.get_config()
    finally:
        del config.config_for_block
    found["dependencies"] = [event(one) for one in found["dependencies"]]
    return found


def _served(events: Iterable[BlockFunction]) -> set[int]:
    """Ids of the components that clients of the API fill or read."""
    of_api = (one for one in events if one.fn and one.api_visibility != "private")
    return {block._id for one in of_api for block in (*one.inputs, *one.outputs)}


def component(block: Block) -> dict[str, Any]:
    """A component's entry in the configuration."""
    props = block.get_config()
    props.pop("preserved_by_key", None)
    utils.delete_none(props)
    entry = {"id": block._id, "type": block.get_block_name(), "props": props}
    key = block.unique_key()
    if key is not None:
        entry["key"] = key
    if block.rendered_in is not None:
        entry["rendered_in"] = block.rendered_in._id
    kind: Any = type(block)  # typed as unhashable by Gradio
    if not _of_gradio(kind, entry["type"]):
        entry["component_class_id"] = block.component_class_id
    return entry


@functools.cache
def _of_gradio(kind: Any, name: str) -> bool:
    """Whether the browser has that kind of component and need not ask for it: one of Gradio's own bears its name."""
    return any(base.__module__.startswith("gradio.") and base.__name__.lower() == name for base in kind.__mro__)


def event(described: dict[str, Any]) -> dict[str, Any]:
    """An event's entry in the configuration, from Gradio's."""
    return {
        key: value
        for key, value in described.items()
        # 0 is the number of an event.
        if key not in _OF_THE_SERVER and not (key in _OFTEN_EMPTY and (value is None or value is False or value == []))
    }
