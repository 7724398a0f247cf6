"""Loopback: img2img over its own result, several times. Source: spec/features.md §8."""

from __future__ import annotations

import math
from typing import Any

from modules.processing import Processed, process_images

from modules import deepbooru, images, processing, scripts, shared

CURVES = ("Aggressive", "Linear", "Lazy")
ORIGINAL = 1


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "Loopback"

    def show(self, is_img2img: bool) -> bool:
        return is_img2img

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        with gr.Row():
            loops = gr.Slider(minimum=1, maximum=32, step=1, label="Loops", value=4, elem_id=self.elem_id("loops"))
            final = gr.Slider(
                minimum=0,
                maximum=1,
                step=0.01,
                label="Final denoising strength",
                value=0.5,
                elem_id=self.elem_id("final_denoising_strength"),
            )
        curve = gr.Dropdown(
            label="Denoising strength curve",
            choices=list(CURVES),
            value="Linear",
            elem_id=self.elem_id("denoising_strength_curve"),
        )
        interrogation = gr.Dropdown(
            label="Append interrogated prompt at each iteration",
            choices=["None", "CLIP", "DeepBooru"],
            value="None",
            elem_id=self.elem_id("append_interrogation"),
        )
        return [loops, final, curve, interrogation]

    def run(
        self, p: Any, loops: int, final_denoising_strength: float, denoising_curve: str, append_interrogation: str
    ) -> Any:
        processing.fix_seed(p)
        loops, count = int(loops), p.n_iter
        p.extra_generation_params |= {
            "Final denoising strength": final_denoising_strength,
            "Denoising curve": denoising_curve,
        }
        p.batch_size = p.n_iter = 1
        p.do_not_save_grid = True
        first_pictures, first_fill, first_prompt = p.init_images, p.inpainting_fill, p.prompt
        first_strength = p.denoising_strength
        state = shared.state
        state.job_count = loops * count
        if shared.opts.img2img_color_correction:
            p.color_corrections = [processing.setup_color_correction(p.init_images[0])]
        results: list[Processed] = []
        for turn in range(count):
            p.init_images, p.denoising_strength = first_pictures, first_strength
            result = None
            for loop in range(loops):
                if append_interrogation not in (None, "", "None"):
                    p.prompt = interrogated(first_prompt, p.init_images[0], append_interrogation)
                state.textinfo = f"Iteration {loop + 1} of {loops}, batch {turn + 1} of {count}"
                result = process_images(p)
                if not result.images:
                    break
                if count == 1:
                    results.append(result)
                p.seed = result.seed + 1
                p.denoising_strength = strength_after(
                    loop + 1, loops, first_strength, final_denoising_strength, denoising_curve
                )
                p.init_images, p.inpainting_fill = [result.images[0]], ORIGINAL
                if state.interrupted or state.stopping_generation:
                    break
            if count > 1 and result is not None and result.images:
                results.append(result)
            p.inpainting_fill = first_fill
            if state.interrupted or state.stopping_generation:
                break
        return joined(p, results)


def strength_after(loop: int, loops: int, first: float, final: float, curve: str) -> float:
    """The denoising strength of loop number `loop`, counted from 0, on the way from `first` to `final`."""
    if loops == 1:
        return first
    progress = loop / (loops - 1)
    if curve == "Aggressive":
        progress = math.sin(progress * math.pi / 2)
    elif curve == "Lazy":
        progress = 1 - math.cos(progress * math.pi / 2)
    # The strength after the last loop is worked out as well, and drawn with by nobody.
    return min(1.0, max(0.0, first + (final - first) * progress))


def interrogated(prompt: str, picture: Any, by: str) -> str:
    """`prompt` with what a captioner says of the picture behind it."""
    said = shared.interrogator.interrogate(picture) if by == "CLIP" else deepbooru.model.tag(picture)
    return ", ".join(text for text in (prompt, said) if text)


def joined(p: Any, results: list[Processed]) -> Processed:
    """The pictures of all, behind a grid of them if there are several."""
    pictures = [result.images[0] for result in results]
    texts = [result.infotexts[0] for result in results]
    seed, info = (results[0].seed, texts[0]) if results else (p.seed, "")
    grids = []
    if len(pictures) > 1:
        grid = images.image_grid(pictures, rows=1)
        if shared.opts.grid_save:
            images.save_image(
                grid,
                p.outpath_grids,
                "grid",
                seed,
                p.prompt,
                shared.opts.grid_format,
                info=info,
                short_filename=not shared.opts.grid_extended_filename,
                grid=True,
                p=p,
            )
        if shared.opts.return_grid:
            grids.append(grid)
    return Processed(
        p,
        [*grids, *pictures],
        seed,
        info,
        all_prompts=[result.prompt for result in results],
        all_negative_prompts=[result.negative_prompt for result in results],
        all_seeds=[result.seed for result in results],
        all_subseeds=[result.subseed for result in results],
        index_of_first_image=len(grids),
        infotexts=[*([info] * len(grids)), *texts],
    )
