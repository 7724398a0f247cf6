"""A request becomes pictures: the story of one job, from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from torch import Tensor

import modules.diffusion.samplers
import modules.diffusion.schedules  # noqa: F401 - the same
from modules.checkpoints.bundle import ModelBundle
from modules.conditioning.conditioning import Composed, Scheduled
from modules.conditioning.encode import PromptEncoder, Timing
from modules.diffusion.sampler import resolve
from modules.generation.denoise import Denoised, Pass, Texts, denoise, noise_for
from modules.generation.describe import describe, token_merging_ratio
from modules.generation.pixels import pictures_of
from modules.generation.plan import Batch, Plan, plan_batches
from modules.generation.switches import reading
from modules.generation.tiling import tiled
from modules.generation.token_merging import merged_tokens
from modules.generation.tools import Tools
from modules.settings.store import Settings
from modules.terms.errors import Interrupted, Skipped, Stopped
from modules.terms.progress import Progress, Watcher, unwatched
from modules.terms.request import GenerationRequest
from modules.terms.result import GeneratedImage, GenerationResult


@dataclass
class _Story:
    """What a job gathers on its way."""

    plan: Plan
    settings: Settings
    watch: Watcher
    images: list[GeneratedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    stopped: Stopped | None = None

    @property
    def request(self) -> GenerationRequest:
        return self.plan.request

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def generate(request: GenerationRequest, tools: Tools, watch: Watcher = unwatched) -> GenerationResult:
    """The pictures that `request` asks for, and the request as it was resolved: that one gives them again.

    An interrupted job returns what there was; a skipped batch keeps its picture and the job goes on.
    Raises: BadRequest, NotFound for what cannot be honoured; OutOfMemory, BrokenResult; Cancelled if the watcher says
    so, Interrupted if it says stop before there is anything to keep.
    """
    request.check()
    settings = tools.settings.with_flat(request.settings)
    plan = plan_batches(_resolved(request), settings, tools.styles, tools.choose_seed)
    story = _Story(plan, settings, watch)
    watch(Progress("loading", batches=len(plan.batches)))
    checkpoint, note = tools.models.library.find_or_first(request.checkpoint or settings["sd_model_checkpoint"])
    if note:
        story.note(note)
    with tools.models.borrow(checkpoint.title, vae=settings["sd_vae"]) as bundle:
        for sentence in bundle.notes:
            story.note(sentence)
        with tiled(bundle, _choice(request.tiling, settings["tiling"])):
            for batch in plan.batches:
                _draw(batch, bundle, tools, story)
                if isinstance(story.stopped, Interrupted):
                    break
        model = model_description(bundle, tools)
    return GenerationResult(
        request=plan.request.with_(checkpoint=checkpoint.title),
        images=tuple(story.images),
        seeds=tuple(seed for batch in plan.batches for seed in batch.seeds),
        subseeds=tuple(subseed for batch in plan.batches for subseed in batch.subseeds),
        notes=tuple(story.notes),
        interrupted=isinstance(story.stopped, Interrupted),
        extra=story.extra,
        model=model,
    )


def _resolved(request: GenerationRequest) -> GenerationRequest:
    """`request` with the labels of its sampler and schedule. Raises: NotFound naming the nearest."""
    sampler, schedule = resolve(request.sampler, request.scheduler)
    return request.with_(sampler=sampler.name, scheduler=schedule.label)


def _choice(asked: Any, setting: Any) -> Any:
    return setting if asked is None else asked


def _draw(batch: Batch, bundle: ModelBundle, tools: Tools, story: _Story) -> None:
    """Draws one batch and adds its pictures to the story."""
    request, settings, watch = story.request, story.settings, story.watch
    batches = len(story.plan.batches)
    sampler, schedule = resolve(request.sampler, request.scheduler)
    walk = Pass(sampler, schedule, request.steps, request.width, request.height, number=batch.index, passes=batches)
    watch(Progress("encoding", batch=batch.index, batches=batches))
    texts = encode(batch, tools.encoder(bundle), Timing(_calls(walk), None, settings["use_old_scheduling"]), settings)
    story.extra.update(emphasis_entry(batch, settings))
    noise = noise_for(request, settings, batch.seeds, batch.subseeds, bundle)(request.width, request.height)
    with merged_tokens(bundle.unet, token_merging_ratio(settings)):
        done = denoise(walk, bundle, texts, noise, request, settings, watch)
    story.stopped = done.stopped
    watch_quietly(watch, Progress("decoding", batch=batch.index + 1, batches=batches), story)
    pictures = pictures_of(bundle.decode(done.latents))
    finish(batch, pictures, done, bundle, tools, story)


def _calls(walk: Pass) -> int:
    """Network calls that the prompts of a first pass are scheduled over."""
    return walk.steps * (2 if walk.sampler.second_order else 1)


def encode(batch: Batch, encoder: PromptEncoder, timing: Timing, settings: Settings) -> Texts:
    """The batch's prompts as conditionings; each distinct text is encoded once."""
    read = reading(settings)
    positive: dict[str, Composed] = {}
    negative: dict[str, Scheduled] = {}
    for prompt in batch.prompts:
        positive.setdefault(prompt, encoder.positive(prompt, timing, read))
    for prompt in batch.negatives:
        negative.setdefault(prompt, encoder.negative(prompt, timing, read))
    empty: Tensor | None = encoder.empty(read).cross if settings["pad_cond_uncond"] else None
    return Texts(
        [positive[prompt] for prompt in batch.prompts], [negative[prompt] for prompt in batch.negatives], empty
    )


def emphasis_entry(batch: Batch, settings: Settings) -> dict[str, Any]:
    """The infotext entry that names the emphasis mode: only where brackets make it matter."""
    mode = settings["emphasis"]
    matters = any(bracket in text for text in (*batch.prompts, *batch.negatives) for bracket in "([")
    return {"Emphasis": mode} if matters and mode != "Original" else {}


def watch_quietly(watch: Watcher, progress: Progress, story: _Story) -> None:
    """Tells the watcher, and takes note of an interruption instead of losing what has been drawn."""
    try:
        watch(progress)
    except (Interrupted, Skipped) as stop:
        story.stopped = stop


def finish(
    batch: Batch,
    pictures: Sequence[Image.Image],
    done: Denoised,
    bundle: ModelBundle,
    tools: Tools,
    story: _Story,
) -> None:
    """Adds the batch's pictures, described, to the story."""
    story.extra.update(done.recorded)
    model = model_description(bundle, tools)
    for place, (planned, picture) in enumerate(zip(batch.images, pictures, strict=True)):
        text = describe(
            story.request,
            planned,
            story.settings,
            model=model,
            extra=story.extra,
            index=place,
            version=tools.version,
        )
        story.images.append(
            GeneratedImage(picture, planned.prompt, planned.negative_prompt, planned.seed, planned.subseed, text)
        )


def model_description(bundle: ModelBundle, tools: Tools) -> Mapping[str, Any]:
    """The checkpoint and VAE as infotext names them."""
    info = tools.models.library.hashed(bundle.info)
    vae = tools.models.library.hashed_vae(bundle.vae_info) if bundle.vae_info else None
    return {
        "name": info.name_for_extra,
        "hash": info.shorthash,
        "title": info.title,
        "vae_name": vae.name if vae else None,
        "vae_hash": vae.shorthash if vae else None,
        "inpainting": bundle.variant == "inpaint",
        "edit": bundle.variant == "edit",
        "family": bundle.family.name,
    }
