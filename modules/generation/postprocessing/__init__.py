"""What the Extras tab does to a picture, one file for each kind of step, and the order in which they run.

Source: spec/extensions.md (postprocessing), spec/training.md §8.
"""

from __future__ import annotations

from collections.abc import Sequence

from modules.generation.postprocessing.captions import CAPTION
from modules.generation.postprocessing.copies import FLIPS
from modules.generation.postprocessing.crops import AUTO_CROP, SPLIT
from modules.generation.postprocessing.faces import CODEFORMER, GFPGAN
from modules.generation.postprocessing.focus import FOCAL_CROP
from modules.generation.postprocessing.step import Step
from modules.generation.postprocessing.upscale import UPSCALE

STEPS: tuple[Step, ...] = (UPSCALE, GFPGAN, CODEFORMER, SPLIT, FOCAL_CROP, AUTO_CROP, FLIPS, CAPTION)


def in_order(names: Sequence[str], disabled: Sequence[str] = (), more: Sequence[Step] = ()) -> tuple[Step, ...]:
    """The steps as the settings want them: those in `names` first, in that order, then the others in theirs.

    more: steps beside those of the studio.
    """
    places = {name: place for place, name in enumerate(names)}
    enabled = [step for step in (*STEPS, *more) if step.name not in disabled]
    return tuple(sorted(enabled, key=lambda step: (places.get(step.name, len(places)), step.order, step.name)))
