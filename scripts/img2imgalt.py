"""img2img alternative test: draws from the noise that the picture would have come from. Source: spec/features.md §8."""

from __future__ import annotations

from typing import Any

from modules.processing import process_images

from modules import built_in, scripts


class Script(scripts.Script):
    def title(self) -> str:
        return "img2img alternative test"

    def show(self, is_img2img: bool) -> bool:
        return is_img2img

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        info = gr.HTML("<p>CFG Scale should be 2 or lower. Describe the picture as it is in the original prompt.</p>")

        def box(label: str, name: str) -> Any:
            return gr.Checkbox(label=label, value=True, elem_id=self.elem_id(name))

        def slider(label: str, name: str, low: float, high: float, step: float, value: float) -> Any:
            return gr.Slider(label=label, minimum=low, maximum=high, step=step, value=value, elem_id=self.elem_id(name))

        override_sampler = box('Override "Sampling method" to Euler?', "override_sampler")
        override_prompt = box('Override "prompt" to the same value as "original prompt"?', "override_prompt")
        original_prompt = gr.Textbox(label="Original prompt", lines=1, elem_id=self.elem_id("original_prompt"))
        original_negative_prompt = gr.Textbox(
            label="Original negative prompt", lines=1, elem_id=self.elem_id("original_negative_prompt")
        )
        override_steps = box('Override "Sampling Steps" to the same value as "Decode steps"?', "override_steps")
        st = slider("Decode steps", "st", 1, 150, 1, 50)
        override_strength = box('Override "Denoising strength" to 1?', "override_strength")
        cfg = slider("Decode CFG scale", "cfg", 0.0, 15.0, 0.1, 1.0)
        randomness = slider("Randomness", "randomness", 0.0, 1.0, 0.01, 0.0)
        sigma_adjustment = gr.Checkbox(
            label="Sigma adjustment for finding noise for image",
            value=False,
            elem_id=self.elem_id("sigma_adjustment"),
        )
        return [
            info,
            override_sampler,
            override_prompt,
            original_prompt,
            original_negative_prompt,
            override_steps,
            st,
            override_strength,
            cfg,
            randomness,
            sigma_adjustment,
        ]

    def run(
        self,
        p: Any,
        _: Any,
        override_sampler: bool,
        override_prompt: bool,
        original_prompt: str,
        original_negative_prompt: str,
        override_steps: bool,
        st: int,
        override_strength: bool,
        cfg: float,
        randomness: float,
        sigma_adjustment: bool,
    ) -> Any:
        if override_sampler:
            p.sampler_name = "Euler"
        if override_prompt:
            p.prompt, p.negative_prompt = original_prompt, original_negative_prompt
        if override_steps:
            p.steps = int(st)
        if override_strength:
            p.denoising_strength = 1.0
        p.inversion = built_in.Inversion(
            original_prompt, original_negative_prompt, int(st), float(cfg), float(randomness), bool(sigma_adjustment)
        )
        p.extra_generation_params |= {
            "Decode prompt": original_prompt,
            "Decode negative prompt": original_negative_prompt,
            "Decode CFG scale": cfg,
            "Decode steps": st,
            "Randomness": randomness,
            "Sigma Adjustment": sigma_adjustment,
        }
        return process_images(p)
