"""`gr.Image(tool="sketch")`: a picture to paint on, whose value is the picture and the mask."""

from __future__ import annotations

from typing import Any

from modules.a1111.gradio3.origin import note

TOOLS = ("sketch", "color-sketch")
PASSED = ("label", "elem_id", "elem_classes", "show_label", "height", "interactive", "image_mode", "visible", "value")


def apply() -> None:
    """Image with a tool of that name makes the editor of today."""
    import gradio as gr

    class Sketch(gr.ImageEditor):
        """Hands over {"image", "mask"}: white is painted; as "color-sketch" the picture with the paint on it."""

        coloured = False

        def get_block_name(self) -> str:
            return "imageeditor"

        def preprocess(self, payload: Any) -> Any:
            value: Any = super().preprocess(payload)
            if not isinstance(value, dict) or value.get("background") is None:
                return None
            if self.coloured:
                return value["composite"]
            return {"image": value["background"].convert("RGB"), "mask": mask_of(value)}

        def postprocess(self, value: Any) -> Any:
            if isinstance(value, dict) and "image" in value:
                value = value["image"]
            return super().postprocess(value)

    def making(cls: Any, *args: Any, **options: Any) -> Any:
        tool = options.get("tool")
        if cls is not gr.Image or tool not in TOOLS:
            return object.__new__(cls)
        note(f"Image(tool={tool})")
        radius = options.get("brush_radius")
        colours: dict[str, Any] = {"colors": ["#ffffff"], "color_mode": "fixed"} if tool == "sketch" else {}
        made = Sketch(
            *args,
            type="pil",
            layers=False,
            transforms=(),
            format="png",
            brush=gr.Brush(default_size=radius or "auto", **colours),
            **{name: value for name, value in options.items() if name in PASSED},
        )
        made.coloured = tool == "color-sketch"
        return made

    # What is no Image does not go through the constructor of Image after this.
    gr.Image.__new__ = making  # type: ignore[method-assign]


def mask_of(value: dict[str, Any]) -> Any:
    """White where any layer is painted, RGB."""
    from PIL import Image

    mask = Image.new("L", value["background"].size, 0)
    for layer in value["layers"]:
        mask.paste(255, mask=layer.getchannel("A"))
    return mask.convert("RGB")
