"""The passes of one batch: the first, from noise or from a picture, and the hires pass over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

import modules.diffusion.samplers
import modules.diffusion.schedules  # noqa: F401 - the same
from modules.checkpoints.bundle import ModelBundle
from modules.conditioning.encode import Timing
from modules.diffusion.sampler import Sampler, resolve
from modules.generation.denoise import Denoised, Pass, Start, Texts, denoise, noise_for
from modules.generation.describe import token_merging_ratio
from modules.generation.hires import enlarge, target_of
from modules.generation.pixels import pictures_of
from modules.generation.plan import Batch
from modules.generation.session import Session
from modules.generation.source import blank_conditioning
from modules.generation.texts import emphasis_entry, encode
from modules.generation.token_merging import merged_tokens
from modules.terms.request import GenerationRequest, Hires

DEFAULT_STRENGTH = 0.75


@dataclass(frozen=True)
class Drawn:
    """The pictures of a batch, and those of its first pass if they are to be saved."""

    pictures: list[Image.Image]
    before: tuple[Image.Image, ...] = ()


def draw(batch: Batch, session: Session, start: Start | None) -> Drawn:
    """All passes of `batch`, decoded. `start`: what img2img begins with, None for txt2img.

    Raises: as `denoise`. `session.stopped` tells if the watcher ended it early; the pictures are then the last guess.
    """
    latents = first_pass(batch, session, start)
    hires = session.request.hires
    if hires is not None and start is None and session.stopped is None:
        return hires_pass(batch, session, hires, latents)
    return Drawn(decoded(session, session.bundle, latents, batch))


def decoded(session: Session, bundle: ModelBundle, latents: Tensor, batch: Batch) -> list[Image.Image]:
    session.tell("decoding", (batch.index + 1) * session.passes_per_batch)
    return pictures_of(bundle.decode(latents))


def first_pass(batch: Batch, session: Session, start: Start | None) -> Tensor:
    """Clean latents (B, C, h, w) of the first pass."""
    request, settings, bundle = session.request, session.settings, session.bundle
    sampler, schedule = resolve(request.sampler, request.scheduler)
    number = batch.index * session.passes_per_batch
    walk = Pass(
        sampler,
        schedule,
        request.steps,
        request.width,
        request.height,
        strength=None if start is None else strength_of(request),
        exact_steps=settings["img2img_fix_steps"],
        number=number,
        passes=session.passes,
    )
    session.tell("encoding", number)
    timing = Timing(request.steps * calls_per_step(sampler), None, settings["use_old_scheduling"])
    texts = encode(batch.prompts, batch.negatives, session.tools.encoder(bundle), timing, settings)
    session.extra.update(emphasis_entry((*batch.prompts, *batch.negatives), settings))
    if start is None:
        start = Start(extra=blank_conditioning(bundle, request.batch_size, request.width, request.height))
    done = walked(
        walk, batch, session, bundle, texts, start, token_merging_ratio(settings, img2img=bool(walk.strength))
    )
    session.extra.update(done.recorded)
    return done.latents


def hires_pass(batch: Batch, session: Session, hires: Hires, latents: Tensor) -> Drawn:
    """Draws over the enlarged first pass, with the sampler, prompts and checkpoint of the second."""
    request, settings = session.request, session.settings
    sampler, schedule = resolve(hires.sampler or request.sampler, hires.scheduler or request.scheduler)
    first_sampler, _ = resolve(request.sampler, request.scheduler)
    target = target_of(hires, request.width, request.height)
    number = batch.index * session.passes_per_batch + 1
    session.tell("upscaling", number)
    steps = hires.steps or request.steps
    walk = Pass(
        sampler,
        schedule,
        steps,
        *target.size,
        strength=strength_of(request),
        exact_steps=True,
        number=number,
        passes=session.passes,
    )
    with hires_bundle(session, hires) as bundle:
        enlarged = enlarge(session, hires, latents, target, bundle)
        timing = Timing(
            request.steps * calls_per_step(first_sampler),
            steps * calls_per_step(sampler),
            settings["use_old_scheduling"],
        )
        texts = encode(batch.hires_prompts, batch.hires_negatives, session.tools.encoder(bundle), timing, settings)
        start = Start(enlarged.latents, extra=blank_conditioning(bundle, request.batch_size, *target.size))
        done = walked(walk, batch, session, bundle, texts, start, token_merging_ratio(settings, hires=True))
        record_hires(session, done)
        return Drawn(decoded(session, bundle, done.latents, batch), enlarged.before)


@contextmanager
def hires_bundle(session: Session, hires: Hires) -> Iterator[ModelBundle]:
    """The model of the second pass: the first one's, or the checkpoint that `hires` names."""
    if not hires.checkpoint:
        yield session.bundle
        return
    library = session.tools.models.library
    info = library.hashed(library.find(hires.checkpoint))
    session.extra["Hires checkpoint"] = info.short_title
    with session.tools.models.borrow(info.title, vae=session.settings["sd_vae"]) as bundle:
        yield bundle


def walked(
    walk: Pass,
    batch: Batch,
    session: Session,
    bundle: ModelBundle,
    texts: Texts,
    start: Start,
    merging: float,
) -> Denoised:
    """One pass, with fresh noise of the batch's seeds."""
    request, settings = session.request, session.settings
    noise = noise_for(request, settings, batch.seeds, batch.subseeds, bundle)(walk.width, walk.height)
    with merged_tokens(bundle.unet, merging):
        done = denoise(walk, bundle, texts, noise, request, settings, session.watch, start)
    session.stopped = session.stopped or done.stopped
    return done


def record_hires(session: Session, done: Denoised) -> None:
    """Takes down what bent the second pass; its schedule only where it is another than the first one's."""
    entries = dict(done.recorded)
    schedule = entries.pop("Schedule type")
    entries["Hires schedule type"] = schedule if schedule != session.extra.get("Schedule type") else None
    session.extra.update({key: value for key, value in entries.items() if value is not None or key.startswith("Hires")})


def strength_of(request: GenerationRequest) -> float:
    return DEFAULT_STRENGTH if request.denoising_strength is None else request.denoising_strength


def calls_per_step(sampler: Sampler) -> int:
    """Network calls of one step, which prompts are scheduled over."""
    return 2 if sampler.second_order else 1
