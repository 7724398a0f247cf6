"""Prompts from file or textbox: pictures for each line, with options per line. Source: spec/features.md §8."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from copy import copy
from typing import Any

from modules.built_in import BadRequest
from modules.processing import Processed, process_images

from modules import processing, scripts, shared


def flag(text: str) -> bool:
    return text == "true"


def sampler(text: str) -> str:
    """The sampler of that name or alias. Raises: ValueError."""
    from modules import sd_samplers  # comes with torch

    name = sd_samplers.samplers_map.get(text.lower())
    if name is None:
        raise ValueError(f"there is no sampler {text!r}")
    return str(name)


def sampler_at(text: str) -> str:
    """The sampler that stands there in the list. Raises: ValueError."""
    from modules import sd_samplers  # comes with torch

    number = int(text)
    if not 0 <= number < len(sd_samplers.samplers):
        raise ValueError(f"there are {len(sd_samplers.samplers)} samplers, and no number {number}")
    return str(sd_samplers.samplers[number].name)


def styles(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


# Option of a line -> (field of p, what its text means). The sampler's number is A1111's old way of naming it.
OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "sd_model": ("sd_model", str),
    "outpath_samples": ("outpath_samples", str),
    "outpath_grids": ("outpath_grids", str),
    "prompt_for_display": ("prompt_for_display", str),
    "prompt": ("prompt", str),
    "negative_prompt": ("negative_prompt", str),
    "styles": ("styles", styles),
    "seed": ("seed", int),
    "subseed_strength": ("subseed_strength", float),
    "subseed": ("subseed", int),
    "seed_resize_from_h": ("seed_resize_from_h", int),
    "seed_resize_from_w": ("seed_resize_from_w", int),
    "sampler_index": ("sampler_name", sampler_at),
    "sampler_name": ("sampler_name", sampler),
    "batch_size": ("batch_size", int),
    "n_iter": ("n_iter", int),
    "steps": ("steps", int),
    "cfg_scale": ("cfg_scale", float),
    "width": ("width", int),
    "height": ("height", int),
    "restore_faces": ("restore_faces", flag),
    "tiling": ("tiling", flag),
    "do_not_save_samples": ("do_not_save_samples", flag),
    "do_not_save_grid": ("do_not_save_grid", flag),
}
TEXTS = ("prompt", "negative_prompt")


def options_of(line: str) -> dict[str, Any]:
    """Field of p -> value, for a line of `--option value`. A prompt goes on until the next option.

    Raises: ValueError saying what is wrong with it.
    """
    words, found = shlex.split(line), {}
    while words:
        option = words.pop(0)
        if not option.startswith("--"):
            raise ValueError(f"{option!r} stands where an option (--{option}) should")
        name = option[2:]
        if name not in OPTIONS:
            raise ValueError(f"there is no option {option}")
        if not words:
            raise ValueError(f"{option} has no value")
        value = words.pop(0)
        while name in TEXTS and words and not words[0].startswith("--"):
            value += f" {words.pop(0)}"
        field, kind = OPTIONS[name]
        try:
            found[field] = kind(value)
        except ValueError as error:
            raise ValueError(f"{option} cannot be {value!r}: {error}") from None
    return found


def text_of(file: Any) -> tuple[str | None, Any, Any]:
    """The text of a file that was dropped on the page: file, text, size of the box."""
    import gradio as gr

    if file is None:
        return None, gr.update(), gr.update(lines=7)
    text = bytes(file).decode("utf8", errors="ignore")
    return None, "\n".join(line.strip() for line in text.splitlines()), gr.update(lines=7)


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "Prompts from file or textbox"

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        iterate = gr.Checkbox(label="Iterate seed every line", value=False, elem_id=self.elem_id("checkbox_iterate"))
        same = gr.Checkbox(
            label="Use same random seed for all lines", value=False, elem_id=self.elem_id("checkbox_iterate_batch")
        )
        position = gr.Radio(
            ["start", "end"], label="Insert prompts at the", elem_id=self.elem_id("prompt_position"), value="start"
        )
        prompts = gr.Textbox(label="List of prompt inputs", lines=1, elem_id=self.elem_id("prompt_txt"))
        file = gr.File(label="Upload prompt inputs", type="binary", elem_id=self.elem_id("file"))
        file.change(text_of, [file], [file, prompts, prompts], show_progress="hidden", api_visibility="private")
        return [iterate, same, position, prompts]

    def run(
        self, p: Any, checkbox_iterate: bool, checkbox_iterate_batch: bool, prompt_position: str, prompt_txt: str
    ) -> Any:
        jobs = []
        for number, line in enumerate(prompt_txt.splitlines(), start=1):
            line = line.strip()
            if not line:
                continue
            try:
                jobs.append(options_of(line) if "--" in line else {"prompt": line})
            except ValueError as error:
                p.comment(f"Prompts from file: line {number} was taken as a prompt, since {error}.")
                jobs.append({"prompt": line})
        if not jobs:
            raise BadRequest("Prompts from file: there are no prompts. Write one per line, or drop a file.")
        p.do_not_save_grid = True
        if checkbox_iterate or checkbox_iterate_batch:
            p.seed = processing.get_fixed_seed(p.seed)
        shared.state.job_count = sum(job.get("n_iter", p.n_iter) for job in jobs)
        pictures, prompts, negatives, seeds, subseeds, infotexts = [], [], [], [], [], []
        for number, job in enumerate(jobs):
            if shared.state.interrupted or shared.state.stopping_generation:
                break
            shared.state.textinfo = f"{number + 1} of {len(jobs)}"
            result = process_images(self.changed(p, job, prompt_position))
            pictures += result.images
            prompts += result.all_prompts
            negatives += result.all_negative_prompts
            seeds += result.all_seeds
            subseeds += result.all_subseeds
            infotexts += result.infotexts
            if checkbox_iterate:
                p.seed += p.batch_size * p.n_iter
        return Processed(
            p,
            pictures,
            seeds[0] if seeds else p.seed,
            infotexts[0] if infotexts else "",
            all_prompts=prompts,
            all_negative_prompts=negatives,
            all_seeds=seeds,
            all_subseeds=subseeds,
            infotexts=infotexts,
        )

    def changed(self, p: Any, job: dict[str, Any], position: str) -> Any:
        """A copy of `p` as a line asks for it; the page's own prompts stand behind the line's, or in front."""
        own = copy(p)
        own.override_settings = dict(p.override_settings)
        own.extra_generation_params = dict(p.extra_generation_params)
        for field, value in job.items():
            if field == "sd_model":
                own.override_settings["sd_model_checkpoint"] = value
            else:
                setattr(own, field, value)
        for field in TEXTS:
            added, given = job.get(field), getattr(p, field)
            if added and given:
                setattr(own, field, f"{added} {given}" if position == "start" else f"{given} {added}")
        return own
