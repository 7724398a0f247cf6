"""Outpainting mk2: the picture extended side by side over noise that resembles it. Source: spec/features.md §8."""

from __future__ import annotations

from typing import Any

from modules import built_in, processing, scripts

SIDES = ["left", "right", "up", "down"]


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "Outpainting mk2"

    def show(self, is_img2img: bool) -> bool:
        return is_img2img

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        info = gr.HTML("<p>Recommended: 80 to 100 steps, Euler a, denoising strength 0.8.</p>")
        pixels = gr.Slider(
            label="Pixels to expand", minimum=8, maximum=256, step=8, value=128, elem_id=self.elem_id("pixels")
        )
        mask_blur = gr.Slider(
            label="Mask blur", minimum=0, maximum=64, step=1, value=8, elem_id=self.elem_id("mask_blur")
        )
        direction = gr.CheckboxGroup(
            label="Outpainting direction", choices=SIDES, value=SIDES, elem_id=self.elem_id("direction")
        )
        noise_q = gr.Slider(
            label="Fall-off exponent (lower=higher detail)",
            minimum=0.0,
            maximum=4.0,
            step=0.01,
            value=1.0,
            elem_id=self.elem_id("noise_q"),
        )
        color_variation = gr.Slider(
            label="Color variation",
            minimum=0.0,
            maximum=1.0,
            step=0.01,
            value=0.05,
            elem_id=self.elem_id("color_variation"),
        )
        return [info, pixels, mask_blur, direction, noise_q, color_variation]

    def run(
        self,
        p: Any,
        _: Any,
        pixels: int,
        mask_blur: int,
        direction: list[str],
        noise_q: float,
        color_variation: float,
    ) -> Any:
        processing.fix_seed(p)
        options = built_in.Mk2(int(pixels), int(mask_blur), tuple(direction), float(noise_q), float(color_variation))
        return built_in.outpainted(p, options, built_in.outpaint_mk2)
