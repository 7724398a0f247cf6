"""The callbacks of the guidance, in A1111's layout: prompt rows before negative rows. Source: spec/extensions.md §4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modules.a1111.stepping import Steps, replaced
from modules.diffusion.moments import Asked, Texts

if TYPE_CHECKING:
    from modules.generation.denoise import Pass
    from modules.generation.session import Session

CATEGORIES = ("cfg_denoiser", "cfg_denoised", "cfg_after_cfg")


def wanted(p: Any) -> bool:
    """Whether anybody looks on while `p` is drawn."""
    from modules import script_callbacks

    return script_callbacks.has_any(*CATEGORIES) or combiner_of(p) is not None or replaced(p)


def prepare_sampler(p: Any) -> Any:
    """`p.sampler`, made by `sd_samplers.create_sampler`, which extensions may have put another in place of."""
    from modules import sd_samplers

    data = sd_samplers.all_samplers_map.get(p.sampler_name)
    made = getattr(p, "_made_sampler", None)
    if p.sampler is None or (made is not None and p.sampler is made[1] and made[0] is not data):
        p.sampler = sd_samplers.create_sampler(p.sampler_name, p.sd_model)
        p.sampler.p = p
        p._made_sampler = (data, p.sampler)
    return p.sampler


def combiner_of(p: Any) -> Any:
    """The guidance that an extension put into the sampler of `p`; None: the studio's."""
    wrapper = getattr(p.sampler, "model_wrap_cfg", None)
    return wrapper if combines(wrapper) else None


def combines(denoiser: Any) -> bool:
    """Whether `denoiser` has a `combine_denoised` of an extension's, be it of its class or its own."""
    from modules import sd_samplers_cfg_denoiser

    combine = getattr(type(denoiser), "combine_denoised", None)
    of_class = combine is not None and combine is not sd_samplers_cfg_denoiser.combine_denoised
    return of_class or "combine_denoised" in getattr(denoiser, "__dict__", {})


class CallbackMoments:
    """Calls what extensions registered for the network calls of one pass."""

    def __init__(self, p: Any, walk: Pass, session: Session) -> None:
        from modules import sd_samplers_cfg_denoiser

        self._p = p
        own = getattr(p.sampler, "model_wrap_cfg", None)
        self._denoiser = own or sd_samplers_cfg_denoiser.CFGDenoiser(p.sampler)
        self._denoiser.p = p
        self._denoiser.total_steps = self._denoiser.steps = walk.steps
        self._steps = Steps(p, walk, session) if replaced(p) else None
        self._vector = session.bundle.family.name.startswith("sdxl")

    def asking(self, asked: Asked) -> None:
        from modules import script_callbacks

        self._denoiser.step, self._denoiser.total_steps = asked.call, asked.total
        params = script_callbacks.CFGDenoiserParams(
            x=asked.x,
            image_cond=asked.extra if asked.extra is not None else asked.x.new_zeros((len(asked.x), 5, 1, 1)),
            sigma=asked.sigma if asked.timestep is None else asked.timestep,
            sampling_step=asked.call,
            total_sampling_steps=asked.total,
            text_cond=self._told(asked.prompts),
            text_uncond=None if asked.negatives is None else self._told(asked.negatives),
            denoiser=self._denoiser,
        )
        script_callbacks.cfg_denoiser_callback(params)
        asked.x = params.x
        if asked.timestep is None:
            asked.sigma = params.sigma
        else:
            asked.timestep = params.sigma
        if asked.extra is not None:
            asked.extra = params.image_cond
        asked.prompts = read_back(params.text_cond, asked.prompts)
        if asked.negatives is not None and params.text_uncond is not None:
            asked.negatives = read_back(params.text_uncond, asked.negatives)

    def answered(self, denoised: Tensor, asked: Asked) -> None:
        from modules import script_callbacks

        params = script_callbacks.CFGDenoisedParams(denoised, asked.call, asked.total, self._denoiser.inner_model)
        script_callbacks.cfg_denoised_callback(params)

    def combine(self, denoised: Tensor, asked: Asked, scale: float) -> Tensor | None:
        # Asked anew at every call: a callback of this very call may have put it there.
        if not combines(self._denoiser):
            return None
        parts = [list(rows) for rows in asked.parts]
        uncond = None if asked.negatives is None else asked.negatives.cross
        combined: Tensor = self._denoiser.combine_denoised(denoised, parts, uncond, scale)
        return combined

    def guided(self, denoised: Tensor, asked: Asked) -> Tensor:
        from modules import script_callbacks

        params = script_callbacks.AfterCFGCallbackParams(denoised, asked.call, asked.total)
        script_callbacks.cfg_after_cfg_callback(params)
        result: Tensor = params.x
        return result if self._steps is None else self._steps.changed(result, asked)

    def _told(self, texts: Texts) -> Any:
        if self._vector and texts.vector is not None:
            return {"crossattn": texts.cross, "vector": texts.vector}
        return texts.cross


def read_back(told: Any, before: Texts) -> Texts:
    """What a callback left of a text."""
    if isinstance(told, dict):
        return Texts(told["crossattn"], told.get("vector", before.vector))
    if isinstance(told, torch.Tensor):
        return Texts(told, before.vector)
    return before
