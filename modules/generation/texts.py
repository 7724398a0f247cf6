"""The prompts of a batch, encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from modules.conditioning.conditioning import Composed, Scheduled
from modules.conditioning.encode import PromptEncoder, Timing
from modules.generation.switches import Settings, reading


@dataclass(frozen=True)
class Texts:
    """What is asked of each picture. `empty`: (T, D), the empty prompt, for padding."""

    positive: Sequence[Composed]
    negative: Sequence[Scheduled]
    empty: Tensor | None = None


def encode(
    prompts: Sequence[str],
    negatives: Sequence[str],
    encoder: PromptEncoder,
    timing: Timing,
    settings: Settings,
    networks: tuple[Any, ...] = (),
) -> Texts:
    """One conditioning for each prompt and each negative prompt; each distinct text is encoded once.

    networks: what else shapes the text encoder's weights at the moment.
    """
    read = reading(settings, networks)
    positive: dict[str, Composed] = {}
    negative: dict[str, Scheduled] = {}
    for prompt in prompts:
        if prompt not in positive:
            positive[prompt] = encoder.positive(prompt, timing, read)
    for prompt in negatives:
        if prompt not in negative:
            negative[prompt] = encoder.negative(prompt, timing, read)
    empty = encoder.empty(read).cross if settings["pad_cond_uncond"] else None
    return Texts([positive[prompt] for prompt in prompts], [negative[prompt] for prompt in negatives], empty)


def emphasis_entry(texts: Sequence[str], settings: Settings) -> dict[str, Any]:
    """The infotext entry that names the emphasis mode: only where brackets make it matter."""
    mode = settings["emphasis"]
    matters = any(bracket in text for text in texts for bracket in "([")
    return {"Emphasis": mode} if matters and mode != "Original" else {}
