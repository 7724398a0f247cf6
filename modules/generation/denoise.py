"""One pass: prompts and noise in, clean latents out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from torch import Tensor

from modules.checkpoints.bundle import ModelBundle
from modules.diffusion.denoiser import Denoiser
from modules.diffusion.guidance import Extra, Guided
from modules.diffusion.inpainting import Blend, Inpainted
from modules.diffusion.levels import FlowLevels
from modules.diffusion.moments import Moments
from modules.diffusion.noise import ImageNoise, NoiseSource, Variation
from modules.diffusion.relay import Relay
from modules.diffusion.route import Route, plan
from modules.diffusion.sample import sample
from modules.diffusion.sampler import Sampler, StepInfo
from modules.diffusion.schedule import Schedule
from modules.generation.guide import Guide, Handover, Steering
from modules.generation.hooks import Sampling
from modules.generation.large import entries, window_plan
from modules.generation.preview import Previewer, preview_image
from modules.generation.switches import (
    BentLevels,
    Settings,
    levels_under,
    sampler_options,
    schedule_settings,
)
from modules.generation.texts import Texts
from modules.terms.errors import BrokenResult, Cancelled, Stopped
from modules.terms.progress import Progress, Watcher
from modules.terms.request import GenerationRequest


@dataclass(frozen=True)
class Start:
    """What a pass starts from beyond noise. Without `latents` it is pure noise.

    latents: (B, C, h, w), clean. paint: broadcastable to them, 1 where the pass may paint; None: everywhere.
    extra: channels beside the latents, for models that have such. noise_multiplier: times the start noise.
    blend: how original and new are mixed where `paint` is; None: by `paint` itself.
    """

    latents: Tensor | None = None
    paint: Tensor | None = None
    extra: Extra | None = None
    noise_multiplier: float = 1.0
    blend: Blend | None = None


@dataclass(frozen=True)
class Pass:
    """How one pass walks. `strength` None: from pure noise. `number` of `passes` places it in the job's progress.

    hires: it is the second, larger one.
    """

    sampler: Sampler
    schedule: Schedule
    steps: int
    width: int
    height: int
    strength: float | None = None
    exact_steps: bool = False
    number: int = 0
    passes: int = 1
    hires: bool = False

    def route(self, bundle: ModelBundle, bent: BentLevels, settings: Settings) -> Route:
        return plan(
            self.sampler,
            self.schedule,
            self.steps,
            bent.levels,
            settings=schedule_settings(settings, bundle.family.name),
            strength=self.strength,
            exact_steps=self.exact_steps,
        )


@dataclass(frozen=True)
class Denoised:
    """Clean latents (B, C, h, w). `stopped`: why the walk ended early, if it did; the latents are then the last guess.

    `recorded`: infotext entries of what bent this pass.
    """

    latents: Tensor
    stopped: Stopped | None = None
    recorded: dict[str, Any] = field(default_factory=dict)


Blended = Callable[[Tensor, Tensor, Tensor, "Tensor | None"], Tensor]
"""`blended(kept, painted, mixed, level)` -> what stands in place of `mixed`, each (B, C, H, W); level: (B,), or None
after the last step."""


def nothing(sampling: Sampling, walk: Pass, start: Start) -> None:
    """Nobody wants to know what a pass samples with."""


@dataclass(frozen=True)
class Onlooker:
    """Who looks on while a pass is drawn. moments: at every network call. sampling: before the first. preview: what
    shows latents to a person; None: a linear map.

    extra_noise: `(noise, source, noised)` -> the unit noise that is put on a noised source besides; blended: what
    stands where a mask mixes, see `Blended`. None: nobody wants to change it.
    """

    moments: Moments | None = None
    sampling: Callable[[Sampling, Pass, Start], None] = nothing
    preview: Previewer | None = None
    extra_noise: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    blended: Blended | None = None


@dataclass
class _Follower:
    """Tells the watcher of every step, and keeps the newest guess for the case that it says stop.

    subject: what previews show instead of that guess, None: the guess.
    """

    walk: Pass
    bundle: ModelBundle
    watch: Watcher
    steps: int
    preview: Previewer | None = None
    subject: Callable[[], Tensor | None] = lambda: None
    last: Tensor | None = None
    progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.progress = Progress("sampling", 0, self.steps, self.walk.number, self.walk.passes)

    def __call__(self, step: StepInfo) -> None:
        self.last = step.denoised
        steps = max(self.steps, step.total)
        self.progress = Progress("sampling", step.index + 1, steps, self.walk.number, self.walk.passes)
        self.watch(self.progress, self._preview(self._shown(step.denoised)))

    def again(self) -> None:
        """Nothing new, but the watcher may want to stop."""
        self.watch(self.progress)

    def _shown(self, denoised: Tensor) -> Tensor:
        subject = self.subject()
        return denoised if subject is None or subject.shape != denoised.shape else subject

    def _preview(self, latents: Tensor) -> Callable[[], Any]:
        if self.preview is not None:
            return self.preview.at(latents)
        latent = self.bundle.latent
        return lambda: preview_image(latents, latent.rgb_factors, latent.rgb_bias)


def noise_for(
    request: GenerationRequest, settings: Settings, seeds: Sequence[int], subseeds: Sequence[int], bundle: ModelBundle
) -> Callable[[int, int], ImageNoise]:
    """The random streams of a batch, for a picture of a given width and height in pixels."""
    downscale = bundle.latent.downscale
    resize = (request.seed_resize_from_h // downscale, request.seed_resize_from_w // downscale)
    variation = Variation(tuple(subseeds), request.subseed_strength) if request.subseed_strength else None

    def streams(width: int, height: int) -> ImageNoise:
        return ImageNoise(
            (bundle.latent.channels, height // downscale, width // downscale),
            seeds,
            source=cast(NoiseSource, settings["randn_source"]),
            device=bundle.device,
            variation=variation,
            resize_from=resize if min(request.seed_resize_from_h, request.seed_resize_from_w) > 0 else None,
            eta_seed_delta=settings["eta_noise_seed_delta"],
        )

    return streams


def told(bundle: ModelBundle, request: GenerationRequest, settings: Settings, width: int, height: int) -> ModelBundle:
    """`bundle` for pictures of that size, with the shift and the distilled guidance that are asked for."""
    guidance = request.distilled_cfg_scale or None
    return bundle.for_size(width, height, shift=float(settings["flow_shift"]), guidance=guidance)


def denoise(
    walk: Pass,
    bundle: ModelBundle,
    texts: Texts,
    noise: ImageNoise,
    request: GenerationRequest,
    settings: Settings,
    watch: Watcher,
    start: Start | None = None,
    handover: Handover | None = None,
    steering: Steering | None = None,
    onlooker: Onlooker | None = None,
) -> Denoised:
    """The pictures' latents after `walk`, which `bundle` begins and a refiner may end; `steering`: ControlNets.

    Raises: Cancelled if the watcher says so, or any Stopped before the first step; BrokenResult for NaN.
    """
    start, onlooker = start or Start(), onlooker or Onlooker()
    bundle = told(bundle, request, settings, walk.width, walk.height)
    bent = levels_under(settings, bundle.levels)
    route = walk.route(bundle, bent, settings)
    options, recorded = sampler_options(
        request, settings, walk.sampler, route.levels, from_image=start.latents is not None
    )
    recorded = {**bent.recorded, **route.recorded, **recorded}
    if settings["flow_shift"] and isinstance(bundle.levels, FlowLevels):
        recorded["Shift"] = settings["flow_shift"]
    if not (walk.sampler.uses_ensd and options.eta):
        recorded["ENSD"] = None
    if settings["refiner_switch_by_sample_steps"]:
        recorded["Refiner switch by sampling steps"] = True
    follower = _Follower(walk, bundle, watch, route.steps, onlooker.preview)
    seamless = bool(settings["tiling"] if request.tiling is None else request.tiling)
    # Another picture that is seen cannot be cut along with this one.
    cut = bundle.variant != "reference" or start.extra is None
    windows = window_plan(settings, bundle, walk.width, walk.height, seamless=seamless) if cut else None
    if windows is not None:
        windows.on_window = follower.again
    unit = noise.first()
    sampling = Sampling(unit if start.latents is None else start.latents, unit, texts)
    onlooker.sampling(sampling, walk, start)
    texts = sampling.texts
    if start.latents is None:
        x = _begin(route, sampling.x, start, settings, recorded)
    else:
        start = replace(start, latents=sampling.x)
        x = _begin(route, sampling.noise, start, settings, recorded, onlooker.extra_noise)
    x = x if sampling.begun is None else sampling.begun
    guide = Guide(request, settings, route, steering, windows, onlooker.moments)
    first = guide.guided(bundle, texts, start.extra)
    guided = first if handover is None else guide.relayed(first, handover)
    follower.subject = partial(subject_of, guided, settings["live_preview_content"])
    denoiser: Denoiser = guided
    if start.latents is not None and start.paint is not None:
        blend = watched_blend(start.blend, start.paint, onlooker.blended)
        denoiser = Inpainted(guided, start.latents, start.paint, walk.sampler.timestep_family, blend)
    stopped: Stopped | None = None
    try:
        shared_path = settings["no_dpmpp_sde_batch_determinism"]
        latents = sample(route, denoiser, x, noise, options, on_step=follower, shared_path=shared_path)
    except Cancelled:
        raise
    except Stopped as stop:
        if follower.last is None:
            raise
        latents, stopped = follower.last, stop
    if start.latents is not None and start.paint is not None and start.blend is None:
        mixed = latents * start.paint + start.latents * (1 - start.paint)
        latents = mixed if onlooker.blended is None else onlooker.blended(start.latents, latents, mixed, None)
    if bool(latents.isnan().any()):
        raise BrokenResult(
            "The network returned NaN, so there is no picture. Try --no-half, another sampler, fewer LoRAs or a lower "
            "CFG scale; if it always happens, the checkpoint file is damaged."
        )
    recorded |= entries(windows, settings, walk.width, walk.height)
    return Denoised(latents, stopped, {**recorded, "Schedule type": route.schedule, **guided.recorded})


def subject_of(guided: Guided | Relay, content: str) -> Tensor | None:
    """What `live_preview_content` means: what the prompt or the negative prompt alone made of the last call."""
    return {"Prompt": guided.cond, "Negative prompt": guided.uncond}.get(content)


def watched_blend(blend: Blend | None, paint: Tensor, blended: Blended | None) -> Blend | None:
    """`blend`, None meaning by the mask `paint`, with what an onlooker makes of each result."""
    if blended is None:
        return blend

    def watched(kept: Tensor, painted: Tensor, level: Tensor) -> Tensor:
        mixed = painted * paint + kept * (1 - paint) if blend is None else blend(kept, painted, level)
        return blended(kept, painted, mixed, level)

    return watched


def _begin(
    route: Route,
    unit: Tensor,
    start: Start,
    settings: Settings,
    recorded: dict[str, object],
    more_noise: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """The latents that the walk begins with, from unit noise."""
    if start.latents is not None:
        extra_noise = settings["img2img_extra_noise"]
        if extra_noise > 0:
            recorded["Extra noise"] = extra_noise
        unit = unit * start.noise_multiplier
        if more_noise is None or not extra_noise:
            return route.begin(unit, start.latents, extra_noise=extra_noise)
        noised = route.begin(unit, start.latents)
        added: Tensor = more_noise(unit, start.latents, noised) * extra_noise
        return noised + added
    sgm_noise = settings["sgm_noise_multiplier"]
    if sgm_noise and not route.sampler.timestep_family:
        recorded["SGM noise multiplier"] = True
    return route.begin(unit, sgm_noise=sgm_noise)
