"""What SDXL is told of a picture beside its prompts: its size, how far it was cropped, how good it is to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.sizes import PictureFacts
from modules.conditioning.conditioning import Composed, Scheduled
from modules.generation.switches import Settings
from modules.generation.texts import Texts


def completed(
    texts: Texts, bundle: ModelBundle, settings: Settings, size: tuple[int, int], negatives: Sequence[str]
) -> Texts:
    """`texts` as `bundle` takes them, for pictures of `size`; unchanged for families that are told nothing.

    negatives: the texts that `texts.negative` says; where all of them are empty, they are zeros, as in A1111. What was
    one object stays one: texts are told apart by that.
    """
    crop = settings["sdxl_crop_top"], settings["sdxl_crop_left"]
    high = PictureFacts(*size, *crop, settings["sdxl_refiner_high_aesthetic_score"])
    low = PictureFacts(*size, *crop, settings["sdxl_refiner_low_aesthetic_score"])
    blank = not any(negatives)
    known: dict[tuple[int, bool], Scheduled] = {}

    def complete(scheduled: Scheduled, *, negative: bool) -> Scheduled:
        key = id(scheduled), negative
        if key not in known:
            facts = low if negative else high
            known[key] = bundle.completed(scheduled, facts, blank_negative=negative and blank)
        return known[key]

    return replace(
        texts,
        positive=[
            Composed(tuple((complete(scheduled, negative=False), weight) for scheduled, weight in composed.parts))
            for composed in texts.positive
        ],
        negative=[complete(scheduled, negative=True) for scheduled in texts.negative],
    )
