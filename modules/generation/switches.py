"""The settings and the request, read as each room of the core wants them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from modules.conditioning.emphasis import emphasis_called
from modules.conditioning.encode import Reading
from modules.diffusion.guidance import GuidanceSettings
from modules.diffusion.levels import NoiseLevels
from modules.diffusion.sampler import Sampler, SamplerOptions, UniPCOptions, resolved_options
from modules.diffusion.schedule import ScheduleSettings
from modules.terms.request import GenerationRequest

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class BentLevels:
    """A model's noise levels as the settings bend them, and the infotext entries that say so."""

    levels: NoiseLevels
    recorded: Mapping[str, object]


def levels_under(settings: Settings, levels: NoiseLevels) -> BentLevels:
    """`levels`, rounded to half precision and stretched to zero terminal SNR if the settings ask for it."""
    recorded: dict[str, object] = {}
    if settings["use_downcasted_alpha_bar"]:
        levels = levels.with_downcast_alphas()
        recorded["Downcast alphas_cumprod"] = True
    if settings["sd_noise_schedule"] == "Zero Terminal SNR":
        levels = levels.with_zero_terminal_snr()
        recorded["Noise Schedule"] = settings["sd_noise_schedule"]
    return BentLevels(levels, recorded)


class Loan(TypedDict):
    """What goes with a checkpoint when it is borrowed: the keyword arguments of `Models.borrow`."""

    vae: str
    modules: Sequence[str]
    offload: str
    fp8: str


def loan(settings: Settings) -> Loan:
    """The VAE and the text encoders that the settings choose, and how weights are kept."""
    return Loan(
        vae=settings["sd_vae"],
        modules=tuple(settings["forge_additional_modules"]),
        offload=settings["model_offload"],
        fp8=settings["fp8_storage"],
    )


def schedule_settings(settings: Settings, family: str) -> ScheduleSettings:
    return ScheduleSettings(
        sigma_min=settings["sigma_min"],
        sigma_max=settings["sigma_max"],
        rho=settings["rho"],
        beta_alpha=settings["beta_dist_alpha"],
        beta_beta=settings["beta_dist_beta"],
        old_karras_sigmas=settings["use_old_karras_scheduler_sigmas"],
        always_discard=settings["always_discard_next_to_last_sigma"],
        table="sdxl" if family.lower().startswith("sdxl") else "sd1",
    )


def guidance_settings(
    request: GenerationRequest, settings: Settings, sampler: Sampler, *, spare_negative: bool = False
) -> GuidanceSettings:
    """How strongly the negative prompt counts. spare_negative: at CFG scale 1 it is left out."""
    min_sigma = settings["s_min_uncond"] if request.s_min_uncond is None else request.s_min_uncond
    return GuidanceSettings(
        scale=request.cfg_scale * sampler.guidance_multiplier,
        image_scale=request.source.image_cfg_scale if request.source else None,
        rescale=settings["cfg_rescale"],
        min_sigma=min_sigma,
        min_sigma_all=settings["s_min_uncond_all"],
        skip_early=settings["skip_early_cond"],
        pad="v0" if settings["pad_cond_uncond_v0"] else "v1" if settings["pad_cond_uncond"] else "",
        batch_negative=settings["batch_cond_uncond"],
        spare_negative=spare_negative,
    )


def sampler_options(
    request: GenerationRequest, settings: Settings, sampler: Sampler, levels: NoiseLevels, *, from_image: bool
) -> tuple[SamplerOptions, dict[str, object]]:
    """A sampler's options, and the infotext entries they cause."""
    return resolved_options(
        sampler,
        levels,
        request={name: getattr(request, name) for name in ("eta", "s_churn", "s_tmin", "s_tmax", "s_noise")},
        settings={
            name: settings[name] for name in ("eta_ancestral", "eta_ddim", "s_churn", "s_tmin", "s_tmax", "s_noise")
        },
        from_image=from_image,
        unipc=UniPCOptions(
            variant=settings["uni_pc_variant"],
            skip_type=settings["uni_pc_skip_type"],
            order=settings["uni_pc_order"],
            lower_order_final=settings["uni_pc_lower_order_final"],
        ),
    )


def reading(settings: Settings, networks: Hashable = ()) -> Reading:
    """How prompts are read. Raises: BadRequest for an unknown emphasis mode."""
    return Reading(
        emphasis=emphasis_called(settings["emphasis"]),
        clip_skip=settings["CLIP_stop_at_last_layers"],
        comma_backtrack=settings["comma_padding_backtrack"],
        old_emphasis=settings["use_old_emphasis_implementation"],
        networks=networks,
        skip_asked=settings["sdxl_clip_l_skip"],
    )
