"""The noise that a picture would have come from: a sampler walked backwards (A1111's "img2img alternative test").

Source: spec/features.md §8, and its recording in the parity group scripts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from modules.conditioning.encode import Timing
from modules.diffusion.denoiser import Denoiser
from modules.diffusion.levels import FlowLevels
from modules.diffusion.schedules import SCHEDULES
from modules.generation.denoise import Pass, Start, told
from modules.generation.guide import Guide
from modules.generation.hooks import Sampling
from modules.generation.passes import encoded_by
from modules.generation.session import Session
from modules.generation.switches import levels_under
from modules.terms.errors import BadRequest
from modules.terms.progress import Progress


@dataclass(frozen=True)
class Inversion:
    """How the noise is found. prompt, negative_prompt: what the picture shows. adjusted: A1111's "sigma adjustment":
    each step asks the network at the level it comes from, not the one it goes to. randomness: the share, 0 to 1, of
    the noise that the seed gives."""

    prompt: str
    negative_prompt: str = ""
    steps: int = 50
    cfg_scale: float = 1.0
    randomness: float = 0.0
    adjusted: bool = False

    def begun(self, sampling: Sampling, walk: Pass, start: Start, session: Session) -> Tensor:
        """What img2img samples with instead of `sampling.x`: (B, C, h, w).

        Raises: BadRequest for txt2img and for flow models; Stopped if the watcher says so.
        """
        if start.latents is None:
            raise BadRequest("Only img2img has a picture whose noise can be found.")
        request, settings = session.request, session.settings
        bundle = told(session.bundle, request, settings, walk.width, walk.height)
        bent = levels_under(settings, bundle.levels)
        if isinstance(bent.levels, FlowLevels):
            raise BadRequest("img2img alternative test works with models that predict noise: SD 1, SD 2 and SDXL.")
        route = walk.route(bundle, bent, settings)
        count, size = len(start.latents), (walk.width, walk.height)
        timing = Timing(self.steps, None, settings["use_old_scheduling"])
        prompts, negatives = [self.prompt] * count, [self.negative_prompt] * count
        texts = encoded_by(session, prompts, negatives, timing, size, session.bundle)
        asked = request.with_(cfg_scale=self.cfg_scale, s_min_uncond=0.0)
        denoise = Guide(asked, settings, route).guided(bundle, texts, start.extra)
        levels = bent.levels
        sigmas = SCHEDULES["automatic"].build(self.steps, levels.sigma_min, levels.sigma_max, levels=levels)
        watch = partial(self._tell, walk=walk, session=session)
        noise = noise_of(start.latents, denoise, sigmas, adjusted=self.adjusted, watch=watch)
        share = self.randomness
        mixed = ((1 - share) * noise + share * sampling.noise) / math.hypot(share, 1 - share)
        # The walk begins with the picture plus noise; the picture is in the noise already.
        return route.begin(mixed - start.latents / levels.sigma_max, start.latents)

    def _tell(self, step: int, walk: Pass, session: Session) -> None:
        session.watch(Progress("encoding", step, self.steps, walk.number, walk.passes, counts=False))


def noise_of(
    latents: Tensor, denoise: Denoiser, sigmas: Tensor, *, adjusted: bool, watch: partial[None] | None = None
) -> Tensor:
    """Noise of about unit variance (B, C, h, w) that Euler's steps along `sigmas` would make `latents` of.

    sigmas: (n + 1,), falling to 0. adjusted: see `Inversion`; the result is then divided by the highest level, else by
    its own standard deviation.
    """
    rising = sigmas.flip(0).to(latents.device)
    x = latents
    ones = latents.new_ones(len(latents))
    for step in range(1, len(rising)):
        if watch is not None:
            watch(step - 1)
        before, after = rising[step - 1], rising[step]
        at = before if adjusted else after
        # Adjusted, the first step begins without noise: there the picture is what the network would say.
        if at > 0:
            x = x + (x - denoise(x, at * ones)) / at * (after - before)
    return x / rising[-1] if adjusted else x / x.std()
