"""Wildcards and dynamic prompts: what a prompt leaves open is chosen for each picture, or drawn in every combination.

`__name__` is a line of wildcards/name.txt, whenever there is such a file. Braces are text, as in any other prompt,
unless somebody chooses otherwise.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.built_in import BadRequest, Wildcards, variants

from modules import paths, scripts, shared

TITLE = "Wildcards and dynamic prompts"
FILES, ONE, ALL, OFF = "Wildcard files", "Choices in braces too", "All combinations", "Off"
MODES = [FILES, ONE, ALL, OFF]
# Extensions that do the same: where one is there, prompts are left to it.
OTHERS = ("dynamic_prompting.py", "wildcards.py")
MOST = 1000


class Script(scripts.Script):
    def title(self) -> str:
        return TITLE

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        with gr.Accordion(TITLE, open=False, elem_id=self.elem_id("accordion")):
            mode = gr.Radio(
                MODES,
                value=FILES,
                label="What a prompt leaves open",
                # Underscores themselves would be taken for bold type.
                info="{a|b}, {2::a|b}, {2$$a|b|c}: one, weighted, two. A name in double underscores: a line of a file.",
                elem_id=self.elem_id("mode"),
            )
            with gr.Row():
                most = gr.Slider(
                    minimum=1,
                    maximum=MOST,
                    step=1,
                    value=100,
                    label="Most combinations",
                    elem_id=self.elem_id("most"),
                )
                same_seed = gr.Checkbox(
                    value=False, label="Same seed for all combinations", elem_id=self.elem_id("same_seed")
                )
        return [mode, most, same_seed]

    def wanted(self, request: Any) -> bool:
        """Whether the prompts of a request leave anything open."""
        given = request.scripts.get(TITLE) or (FILES,)
        if given[0] == OFF:
            return False
        hires = request.hires
        texts = [request.prompt, request.negative_prompt]
        texts += [hires.prompt, hires.negative_prompt] if hires else []
        for style in request.styles:
            texts += shared.prompt_styles.get_style_prompts([style])
            texts += shared.prompt_styles.get_negative_style_prompts([style])
        signs = ("__",) if given[0] == FILES else ("__", "{")
        return any(sign in text for sign in signs for text in texts)

    def process(self, p: Any, mode: str = FILES, most: int = 100, same_seed: bool = False) -> None:
        if mode not in MODES:
            raise BadRequest(f"{TITLE}: there is no mode {mode!r}. There are: {', '.join(MODES)}.")
        if mode == OFF:
            return
        other = next((one for one in p.scripts.alwayson_scripts if Path(one.filename).name in OTHERS), None)
        if other is not None:
            if mode != FILES:
                p.comment(f"{TITLE}: left to the extension {other.title()}, which is on.")
            return
        draft = Draft(p, Wildcards(Path(paths.data_path) / "wildcards"), braces=mode != FILES)
        if not draft.is_open:
            return
        if mode == ALL:
            draft.combine(int(most), bool(same_seed))
        else:
            draft.choose()
        draft.tell()


class Draft:
    """The prompts of `p`, and what may become of them."""

    def __init__(self, p: Any, wildcards: Any, *, braces: bool) -> None:
        self.p = p
        self.wildcards = wildcards
        self.braces = braces
        self.missing: set[str] = set()
        self.before = (p.all_prompts[0], p.all_negative_prompts[0])
        lists = [p.all_prompts, p.all_negative_prompts, *(getattr(p, name, None) or [] for name in HIRES)]
        self.is_open = any(variants.is_dynamic(self.template(text)) for texts in lists for text in texts)

    def template(self, text: str) -> Any:
        return variants.read(text, choices=self.braces)

    def chosen(self, text: str, chance: random.Random) -> str:
        return str(variants.one_of(self.template(text), chance, self.wildcards.lines, self.missing))

    def every(self, text: str) -> Iterator[str]:
        return iter(variants.all_of(self.template(text), self.wildcards.lines, self.missing))

    def choose(self) -> None:
        """One prompt for each picture. What is chosen follows from its seed alone, so a picture comes again."""
        p = self.p
        for place in range(len(p.all_prompts)):
            chance = random.Random(f"{p.all_seeds[place]} {p.all_subseeds[place] if p.subseed_strength else 0}")
            first = p.all_prompts[place], p.all_negative_prompts[place]
            p.all_prompts[place] = self.chosen(first[0], chance)
            p.all_negative_prompts[place] = self.chosen(first[1], chance)
            for name, own in zip(HIRES, first, strict=True):
                texts = getattr(p, name, None)
                # The second pass follows the first one, unless it was asked for something else.
                if texts and place < len(texts) and texts[place] != own:
                    texts[place] = self.chosen(texts[place], chance)

    def combine(self, most: int, same_seed: bool) -> None:
        """Every prompt with every negative prompt, each as often as the batch count says; at most so many."""
        p = self.p
        pairs = (
            (prompt, negative)
            for _ in range(p.n_iter)
            for prompt in self.every(self.before[0])
            for negative in self.every(self.before[1])
        )
        found = list(itertools.islice(pairs, most + 1))
        if len(found) > most:
            found.pop()
            p.comment(f"{TITLE}: there are more combinations; the first {most} were drawn.")
        seed, subseed = p.all_seeds[0], p.all_subseeds[0]
        steps = [0 if same_seed else place for place in range(len(found))]
        p.all_prompts = [prompt for prompt, _ in found]
        p.all_negative_prompts = [negative for _, negative in found]
        p.all_seeds = [seed if p.subseed_strength else seed + step for step in steps]
        p.all_subseeds = [subseed + step for step in steps]
        for name, own in zip(HIRES, self.before, strict=True):
            texts = getattr(p, name, None)
            if texts and texts[0] != own:
                setattr(p, name, [self.chosen(texts[0], random.Random(f"{one} 0")) for one in p.all_seeds])
            else:
                setattr(p, name, list(p.all_prompts if name == HIRES[0] else p.all_negative_prompts))
        p.n_iter = math.ceil(len(found) / p.batch_size)

    def tell(self) -> None:
        """Leaves the templates in the infotext, and says which wildcards are missing."""
        p = self.p
        for key, template, texts in (
            ("Template", self.before[0], p.all_prompts),
            ("Negative Template", self.before[1], p.all_negative_prompts),
        ):
            if any(text != template for text in texts):
                p.extra_generation_params[key] = template
        for note in self.wildcards.notes:
            p.comment(note)
        if self.missing and self.wildcards.names:
            p.comment(f"There is no wildcard called {', '.join(sorted(self.missing))} in {self.wildcards.folder}.")


HIRES = ("all_hr_prompts", "all_hr_negative_prompts")
