"""The "Send to" buttons of extensions, once the page is complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.a1111.page import pasting

if TYPE_CHECKING:
    from gradio.components import Component

# What a send takes along unless the button names other fields.
TEXT_FIELDS = ("Prompt", "Negative prompt", "Steps", "Face restoration")
OPENING = {
    "txt2img": "switch_to_txt2img()",
    "img2img": "switch_to_img2img()",
    "inpaint": "switch_to_inpaint()",
    "extras": "switch_to_extras()",
}


def connect(canvases: Mapping[str, Component]) -> None:
    """Binds every registered button. canvases: tab of A1111 -> the canvas that takes its picture."""
    from modules import infotext_utils

    for binding in infotext_utils.registered_param_bindings:
        target = infotext_utils.paste_fields.get(binding.tabname, {})
        place = canvases.get(binding.tabname) or target.get("init_img")
        if binding.source_image_component is not None and place is not None:
            _send_picture(binding, place, ours=binding.tabname in canvases)
        if target.get("fields"):
            _send_text(binding, target["fields"])
        if binding.tabname in OPENING:
            binding.paste_button.click(fn=None, js=f"() => {{ {OPENING[binding.tabname]}; }}", show_progress="hidden")


def _send_picture(binding: Any, place: Component, ours: bool) -> None:
    source = binding.source_image_component
    # Of a gallery, the picture that is open goes.
    gallery = source.get_block_name() == "gallery"
    binding.paste_button.click(
        fn=pasting.canvas_value if ours else pasting.picture_of,
        js="(pictures) => [extract_image_from_gallery(pictures)]" if gallery else None,
        inputs=[source],
        outputs=[place],
        show_progress="hidden",
    )


def _send_text(binding: Any, fields: list[tuple[Any, Any]]) -> None:
    from modules import infotext_utils

    outputs = [component for component, _ in fields]
    if binding.source_text_component is not None:
        binding.paste_button.click(
            fn=lambda text: pasting.pasted(fields, text),
            inputs=[binding.source_text_component],
            outputs=outputs,
            show_progress="hidden",
        )
    source = infotext_utils.paste_fields.get(binding.source_tabname)
    if source is None or not source["fields"]:
        return
    wanted = {*TEXT_FIELDS, *binding.paste_field_names}
    by_key = {target: component for component, target in source["fields"] if target in wanted}
    taken = [(component, by_key[target]) for component, target in fields if target in by_key]
    if taken:
        binding.paste_button.click(
            fn=lambda *values: values if len(values) > 1 else values[0],
            inputs=[component for _, component in taken],
            outputs=[component for component, _ in taken],
            show_progress="hidden",
        )
