"""The passes of one batch: the first, from noise or from a picture, and the hires pass over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from PIL import Image
from torch import Tensor

import modules.diffusion.samplers
import modules.diffusion.schedules  # noqa: F401 - the same
from modules.checkpoints.bundle import ModelBundle
from modules.conditioning.encode import Timing
from modules.diffusion.route import schedule_used
from modules.diffusion.sampler import Sampler, resolve
from modules.generation import hypertile
from modules.generation.denoise import Denoised, Onlooker, Pass, Start, denoise, noise_for
from modules.generation.describe import token_merging_ratio
from modules.generation.facts import completed
from modules.generation.guide import Handover
from modules.generation.hires import LATENT_MODES, enlarge, taken, work_of
from modules.generation.networks import PassNetworks
from modules.generation.plan import Batch
from modules.generation.preview import drawing_of, previewer, quick_pictures
from modules.generation.refine import refiner_of
from modules.generation.session import Session
from modules.generation.source import blank_conditioning
from modules.generation.switches import loan
from modules.generation.texts import Texts, emphasis_entry, encode
from modules.generation.token_merging import merged_tokens
from modules.generation.vae import decoded
from modules.terms.errors import Interrupted, Skipped
from modules.terms.hires_size import target_of
from modules.terms.progress import Watcher
from modules.terms.request import GenerationRequest, Hires

DEFAULT_STRENGTH = 0.75


@dataclass(frozen=True)
class Drawn:
    """The pictures of a batch, and those of its first pass if they are to be saved.

    latents: (B, C, h, w), what they were decoded from; None for pictures that were not drawn. complete: False if the
    watcher ended the drawing early.
    """

    pictures: list[Image.Image]
    latents: Tensor | None
    before: tuple[Image.Image, ...] = ()
    complete: bool = True


def draw(batch: Batch, session: Session, start: Start | None) -> Drawn:
    """All passes of `batch`, decoded. `start`: what img2img begins with, None for txt2img.

    Raises: as `denoise`. `session.stopped` tells if the watcher ended it early; the pictures are then the last guess.
    """
    hires = session.request.hires if start is None else None
    if hires is not None and hires.picture is not None:
        return over_picture(batch, session, hires, hires.picture)
    done, pictures = first_pass(batch, session, start, hires)
    if hires is None or session.stopped is not None:
        return Drawn(pictures, done.latents, complete=hires is None and done.stopped is None)
    return hires_pass(batch, session, hires, done.latents, pictures)


def over_picture(batch: Batch, session: Session, hires: Hires, picture: Image.Image) -> Drawn:
    """The hires pass of `batch` over a picture that is there."""
    request, number = session.request, batch.index * session.passes_per_batch
    session.tell("encoding", number)
    session.extra["Schedule type"] = schedule_used(*resolve(request.sampler, request.scheduler)).label
    session.extra.update(emphasis_entry((*batch.hires_prompts, *batch.hires_negatives), session.settings))
    latents, pictures = taken(session, hires, picture, number + 1)
    return replace(hires_pass(batch, session, hires, latents, pictures), before=())


def finished(session: Session, bundle: ModelBundle, latents: Tensor, batch: Batch) -> list[Image.Image]:
    """The pictures of a batch's last pass."""
    number = session.drawn(batch)
    session.tell("decoding", number)
    latents = session.hooks.sampled(latents, batch, session)
    if session.stopped is not None and session.settings["live_preview_fast_interrupt"]:
        drawing = drawing_of(session.settings, session.tools.approximations, bundle, session.note)
        pictures = quick_pictures(drawing, latents, bundle.latent.downscale)
    else:
        pictures = decoded(session, bundle, latents, number)
    return session.hooks.decoded(pictures, batch, session)


def first_pass(
    batch: Batch, session: Session, start: Start | None, hires: Hires | None
) -> tuple[Denoised, list[Image.Image]]:
    """The first pass, and its pictures, unless a hires pass can do without them."""
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
    timing = Timing(request.steps * calls_per_step(sampler), None, settings["use_old_scheduling"])
    networks = PassNetworks(session, batch.networks, walk.steps)
    size = request.width, request.height
    texts_by = partial(networks.texts, prompts=batch.prompts, negatives=batch.negatives, timing=timing, size=size)
    bare_texts = partial(encoded_by, session, batch.prompts, batch.negatives, timing, size)
    session.tell("encoding", number)
    if start is None:
        start = Start(extra=blank_conditioning(session, bundle, request.width, request.height))
    merging = token_merging_ratio(settings, img2img=bool(walk.strength))
    with (
        texts_by(bundle) as texts,
        refiner_of(session, bundle, bare_texts, size, merging=merging) as handover,
    ):
        session.extra.update(emphasis_entry((*batch.prompts, *batch.negatives), settings))
        session.extra.update(hypertile.entries(settings, hires=hires is not None))
        watch = networks.watched(session.watch)
        done = walked(walk, batch, session, bundle, texts, start, merging, handover, watch)
        session.extra.update(done.recorded)
        last = handover.last(bundle) if handover else bundle
        if hires is None or session.stopped is not None:
            return done, finished(session, last, done.latents, batch)
        session.tell("upscaling", number + 1)
        if hires.upscaler in LATENT_MODES and not settings["save_images_before_highres_fix"]:
            return done, []
        return done, decoded(session, last, done.latents, number + 1)


def hires_pass(batch: Batch, session: Session, hires: Hires, latents: Tensor, pictures: Sequence[Image.Image]) -> Drawn:
    """Draws over the enlarged first pass, with the sampler, prompts and checkpoint of the second."""
    request, settings = session.request, session.settings
    sampler, schedule = resolve(hires.sampler or request.sampler, hires.scheduler or request.scheduler)
    first_sampler, _ = resolve(request.sampler, request.scheduler)
    target = target_of(hires, request.width, request.height)
    steps = hires.steps or request.steps
    walk = Pass(
        sampler,
        schedule,
        steps,
        *target.size,
        strength=strength_of(request),
        exact_steps=True,
        number=batch.index * session.passes_per_batch + 1,
        passes=session.passes,
        hires=True,
    )
    timing = Timing(
        request.steps * calls_per_step(first_sampler), steps * calls_per_step(sampler), settings["use_old_scheduling"]
    )
    networks = PassNetworks(session, batch.hires_networks, steps, hires=True)
    asked = batch.hires_prompts, batch.hires_negatives
    texts_by = partial(networks.texts, prompts=asked[0], negatives=asked[1], timing=timing, size=target.size)
    bare_texts = partial(encoded_by, session, *asked, timing, target.size)
    with hires_bundle(session, hires) as bundle:
        try:
            enlarged = enlarge(session, hires, latents, pictures, target, bundle, walk.number)
        except (Interrupted, Skipped) as stop:
            session.stopped = stop
            return Drawn(list(pictures), latents, complete=False)
        session.hooks.hires_begins(batch, session)
        start = Start(enlarged, extra=blank_conditioning(session, bundle, *target.size))
        merging = token_merging_ratio(settings, hires=True)
        with (
            texts_by(bundle) as texts,
            refiner_of(session, bundle, bare_texts, target.size, merging=merging, second=True) as handover,
        ):
            watch = networks.watched(session.watch)
            done = walked(walk, batch, session, bundle, texts, start, merging, handover, watch)
            record_hires(session, done)
            drawn = finished(session, handover.last(bundle) if handover else bundle, done.latents, batch)
    before = tuple(pictures) if settings["save_images_before_highres_fix"] else ()
    return Drawn(drawn, done.latents, before, complete=done.stopped is None)


def encoded_by(
    session: Session,
    prompts: Sequence[str],
    negatives: Sequence[str],
    timing: Timing,
    size: tuple[int, int],
    model: ModelBundle,
) -> Texts:
    """What `model` is asked for pictures of `size` when no networks are in it."""
    texts = encode(prompts, negatives, session.tools.encoder(model), timing, session.settings)
    return completed(texts, model, session.settings, size, negatives)


@contextmanager
def hires_bundle(session: Session, hires: Hires) -> Iterator[ModelBundle]:
    """The model of the second pass: the first one's, or the checkpoint that `hires` names."""
    if not hires.checkpoint:
        yield session.bundle
        return
    library = session.tools.models.library
    info = library.hashed(library.find(hires.checkpoint))
    session.extra["Hires checkpoint"] = info.short_title
    work = work_of(session.request)
    with session.tools.models.borrow(info.title, **loan(session.settings), work=work) as bundle:
        yield bundle


def walked(
    walk: Pass,
    batch: Batch,
    session: Session,
    bundle: ModelBundle,
    texts: Texts,
    start: Start,
    merging: float,
    handover: Handover | None,
    watch: Watcher,
) -> Denoised:
    """One pass, with fresh noise of the batch's seeds."""
    request, settings = session.request, session.settings
    noise = noise_for(request, settings, batch.seeds, batch.subseeds, bundle)(walk.width, walk.height)
    noise = session.hooks.noise(noise, walk, session)
    controls = session.controls
    steering = partial(controls.influence, size=(walk.width, walk.height), hires=walk.hires) if controls else None
    tiling = hypertile.for_unet(settings, walk.width, walk.height, session.chance, hires=walk.hires)
    if tiling or not walk.hires:
        session.chance.seed(batch.seeds[0])
    with merged_tokens(bundle.unet, merging), hypertile.hypertiled(bundle.unet, tiling):
        onlooker = Onlooker(
            session.hooks.moments(walk, session),
            partial(session.hooks.sampling, session=session),
            previewer(settings, session.tools.approximations, bundle, session.note),
            session.hooks.extra_noise(session),
            session.hooks.blended(walk, start, session),
        )
        done = denoise(walk, bundle, texts, noise, request, settings, watch, start, handover, steering, onlooker)
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
