"""Everything that is decided before anything is computed: seeds, prompts with styles, sizes, batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modules.prompt.comments import strip_comments
from modules.prompt.networks import NetworkTag, extract_networks
from modules.prompt.styles import StyleBook
from modules.terms.request import GenerationRequest

SEED_LIMIT = 4294967294


@dataclass(frozen=True)
class PlannedImage:
    """One picture to be made. The prompts are as infotext shows them: with styles, without comments."""

    prompt: str
    negative_prompt: str
    seed: int
    subseed: int
    hires_prompt: str
    hires_negative_prompt: str


@dataclass(frozen=True)
class Batch:
    """Pictures that are denoised together, and the networks that the first of them asks for.

    `prompts` and `hires_prompts` are the positive prompts without their network tags.
    """

    index: int
    images: tuple[PlannedImage, ...]
    prompts: tuple[str, ...]
    hires_prompts: tuple[str, ...]
    networks: tuple[NetworkTag, ...]
    hires_networks: tuple[NetworkTag, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(image.seed for image in self.images)

    @property
    def subseeds(self) -> tuple[int, ...]:
        return tuple(image.subseed for image in self.images)

    @property
    def negatives(self) -> tuple[str, ...]:
        return tuple(image.negative_prompt for image in self.images)

    @property
    def hires_negatives(self) -> tuple[str, ...]:
        return tuple(image.hires_negative_prompt for image in self.images)


@dataclass(frozen=True)
class Plan:
    """`request` with its seeds chosen, and the batches it falls into."""

    request: GenerationRequest
    batches: tuple[Batch, ...]


def plan_batches(
    request: GenerationRequest,
    settings: Mapping[str, Any],
    styles: StyleBook,
    choose_seed: Callable[[int], int],
) -> Plan:
    """The plan of `request`. `choose_seed(limit)` returns a whole number in [0, limit) for each seed of -1.

    Image i has seed + i; with a variation strength all share the seed and the subseeds count up.
    Source: spec/sampling.md §5, spec/prompt_language.md §0.
    """
    seed = request.seed if request.seed >= 0 else choose_seed(SEED_LIMIT)
    subseed = request.subseed if request.subseed >= 0 else choose_seed(SEED_LIMIT)
    request = request.with_(seed=seed, subseed=subseed)

    def finished(positive: str, negative: str) -> tuple[str, str]:
        positive, negative = styles.apply(positive, negative, request.styles)
        if settings["enable_prompt_comments"]:
            return strip_comments(positive), strip_comments(negative)
        return positive, negative

    prompt, negative = finished(request.prompt, request.negative_prompt)
    hires = request.hires
    hires_prompt, hires_negative = prompt, negative
    if hires is not None and (hires.prompt or hires.negative_prompt):
        hires_prompt, hires_negative = finished(
            hires.prompt or request.prompt, hires.negative_prompt or request.negative_prompt
        )
    same_seed = request.subseed_strength != 0
    images = [
        PlannedImage(
            prompt=prompt,
            negative_prompt=negative,
            seed=seed if same_seed else seed + number,
            subseed=subseed + number,
            hires_prompt=hires_prompt,
            hires_negative_prompt=hires_negative,
        )
        for number in range(request.batch_size * request.n_iter)
    ]
    return Plan(request, tuple(batch_of(images, start, request) for start in range(0, len(images), request.batch_size)))


def batch_of(images: Sequence[PlannedImage], start: int, request: GenerationRequest) -> Batch:
    """The batch that begins with image `start`. Network tags count in its first prompt only; the rest lose theirs."""
    some = tuple(images[start : start + request.batch_size])
    if request.disable_extra_networks:
        prompts = tuple(image.prompt for image in some)
        hires_prompts = tuple(image.hires_prompt for image in some)
        networks: tuple[NetworkTag, ...] = ()
        hires_networks: tuple[NetworkTag, ...] = ()
    else:
        parsed = [extract_networks(image.prompt) for image in some]
        hires_parsed = [extract_networks(image.hires_prompt) for image in some]
        prompts, networks = tuple(text for text, _ in parsed), parsed[0][1]
        hires_prompts, hires_networks = tuple(text for text, _ in hires_parsed), hires_parsed[0][1]
    return Batch(start // request.batch_size, some, prompts, hires_prompts, networks, hires_networks)
