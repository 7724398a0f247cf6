"""Poor man's outpainting: the picture on a larger sheet whose new parts are inpainted tile by tile.

Source: spec/features.md §8.
"""

from __future__ import annotations

from typing import Any

from modules import built_in, processing, scripts

SIDES = ["left", "right", "up", "down"]
CONTENTS = ["fill", "original", "latent noise", "latent nothing"]


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "Poor man's outpainting"

    def show(self, is_img2img: bool) -> bool:
        return is_img2img

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        pixels = gr.Slider(
            label="Pixels to expand", minimum=8, maximum=256, step=8, value=128, elem_id=self.elem_id("pixels")
        )
        mask_blur = gr.Slider(
            label="Mask blur", minimum=0, maximum=64, step=1, value=4, elem_id=self.elem_id("mask_blur")
        )
        inpainting_fill = gr.Radio(
            label="Masked content",
            choices=CONTENTS,
            value="fill",
            type="index",
            elem_id=self.elem_id("inpainting_fill"),
        )
        direction = gr.CheckboxGroup(
            label="Outpainting direction", choices=SIDES, value=SIDES, elem_id=self.elem_id("direction")
        )
        return [pixels, mask_blur, inpainting_fill, direction]

    def run(self, p: Any, pixels: int, mask_blur: int, inpainting_fill: int | str, direction: list[str]) -> Any:
        processing.fix_seed(p)
        fill = CONTENTS.index(inpainting_fill) if inpainting_fill in CONTENTS else int(inpainting_fill)
        options = built_in.OutpaintTiles(int(pixels), int(mask_blur), fill, tuple(direction))
        return built_in.outpainted(p, options, built_in.outpaint_tiles)
