"""Prompt matrix: every combination of the parts of a prompt, as a grid. Source: spec/features.md §8."""

from __future__ import annotations

import math
from typing import Any

from modules.built_in import BadRequest
from modules.processing import process_images

from modules import images, processing, scripts, shared

MOST_PARTS = 13


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "Prompt matrix"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        gr.HTML("<p>Separate the parts of the prompt with |. The first one is in every picture.</p>")
        with gr.Row():
            put_at_start = gr.Checkbox(
                label="Put variable parts at start of prompt", value=False, elem_id=self.elem_id("put_at_start")
            )
            different_seeds = gr.Checkbox(
                label="Use different seed for each picture", value=False, elem_id=self.elem_id("different_seeds")
            )
        with gr.Row():
            prompt_type = gr.Radio(
                ["positive", "negative"], label="Select prompt", elem_id=self.elem_id("prompt_type"), value="positive"
            )
            delimiter = gr.Radio(
                ["comma", "space"], label="Select joining char", elem_id=self.elem_id("variations_delimiter"),
                value="comma",
            )  # fmt: skip
        margin_size = gr.Slider(
            label="Grid margins (px)", minimum=0, maximum=500, value=0, step=2, elem_id=self.elem_id("margin_size")
        )
        return [put_at_start, different_seeds, prompt_type, delimiter, margin_size]

    def run(
        self,
        p: Any,
        put_at_start: bool,
        different_seeds: bool,
        prompt_type: str,
        variations_delimiter: str,
        margin_size: int,
    ) -> Any:
        processing.fix_seed(p)
        if prompt_type not in ("positive", "negative"):
            raise BadRequest(f"Prompt matrix: the prompt is 'positive' or 'negative', not {prompt_type!r}.")
        if variations_delimiter not in ("comma", "space"):
            raise BadRequest(f"Prompt matrix: parts are joined by 'comma' or 'space', not {variations_delimiter!r}.")
        positive = prompt_type == "positive"
        original = p.prompt if positive else p.negative_prompt
        parts = original.split("|")
        if len(parts) > MOST_PARTS:
            raise BadRequest(
                f"Prompt matrix: {len(parts) - 1} optional parts make {2 ** (len(parts) - 1)} pictures. At most "
                f"{MOST_PARTS - 1} are possible."
            )
        prompts = combinations(parts, ", " if variations_delimiter == "comma" else " ", first=not put_at_start)
        p.n_iter = math.ceil(len(prompts) / p.batch_size)
        p.do_not_save_grid = True
        if positive:
            p.prompt = prompts
        else:
            p.negative_prompt = prompts
        p.seed = [p.seed + (number if different_seeds else 0) for number in range(len(prompts))]
        p.prompt_for_display = original
        result = process_images(p)
        if not result.images:
            return result
        blank = [result.images[0].copy() for _ in range(len(prompts) - len(result.images))]
        for picture in blank:  # An interrupted job has fewer pictures than the grid has places.
            picture.paste("white", (0, 0, *picture.size))
        grid = images.image_grid([*result.images, *blank], p.batch_size, rows=1 << ((len(parts) - 1) // 2))
        width, height = result.images[0].size
        grid = images.draw_prompt_matrix(grid, width, height, parts, margin_size)
        result.images.insert(0, grid)
        result.index_of_first_image = 1
        result.infotexts.insert(0, result.infotexts[0])
        if shared.opts.grid_save:
            images.save_image(
                grid,
                p.outpath_grids,
                "prompt_matrix",
                info=result.infotexts[0],
                extension=shared.opts.grid_format,
                prompt=original,
                seed=result.seed,
                grid=True,
                p=p,
            )
        return result


def combinations(parts: list[str], joint: str, *, first: bool) -> list[str]:
    """Every choice of the optional parts, counted up in binary: bit k is part k + 1. The first part is in all.

    first: it stands in front of the others.
    """
    prompts = []
    for number in range(1 << (len(parts) - 1)):
        chosen = [part.strip().strip(",") for place, part in enumerate(parts[1:]) if number & (1 << place)]
        prompts.append(joint.join([parts[0], *chosen] if first else [*chosen, parts[0]]))
    return prompts
