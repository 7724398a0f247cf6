"""The axes of an X/Y/Z plot: what may be varied, how a value changes `p`, what is checked, how it is written.

`xyz_grid.py` offers all of this under A1111's names. Source: spec/features.md §9.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from modules import sd_models, sd_vae, shared
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

Apply = Callable[[Any, Any, Sequence[Any]], None]


# -- how a value of an axis changes p --------------------------------------------------------------------------------


def apply_field(field: str) -> Apply:
    """Sets a field of p."""

    def fun(p: Any, x: Any, xs: Sequence[Any]) -> None:
        setattr(p, field, x)

    return fun


def apply_override(field: str, boolean: bool = False) -> Apply:
    """Sets a setting for the picture."""

    def fun(p: Any, x: Any, xs: Sequence[Any]) -> None:
        p.override_settings[field] = str(x).lower() == "true" if boolean else x

    return fun


def do_nothing(p: Any, x: Any, xs: Sequence[Any]) -> None:
    """For the axis that is not used."""


def apply_prompt(p: Any, x: str, xs: Sequence[str]) -> None:
    p.prompt = p.prompt.replace(xs[0], x)
    p.negative_prompt = p.negative_prompt.replace(xs[0], x)


def apply_order(p: Any, x: Sequence[str], xs: Sequence[Sequence[str]]) -> None:
    """Puts the words, in the order of `x`, into the places where they stand."""
    places = sorted((p.prompt.find(word), len(word)) for word in x)
    written, end = "", 0
    for (start, length), word in zip(places, x, strict=True):
        written += p.prompt[end:start] + word
        end = start + length
    p.prompt = written + p.prompt[end:]


def apply_checkpoint(p: Any, x: str, xs: Sequence[str]) -> None:
    info = sd_models.get_closet_checkpoint_match(x)
    if info is None:
        raise BadRequest(f"Unknown checkpoint: {x}")
    p.override_settings["sd_model_checkpoint"] = info.title


def apply_clip_skip(p: Any, x: int, xs: Sequence[int]) -> None:
    p.override_settings["CLIP_stop_at_last_layers"] = x


def find_vae(name: str) -> str:
    """The setting that a name of a VAE means. Raises: BadRequest naming those there are."""
    if name.lower() in ("auto", "automatic"):
        return "Automatic"
    if name.lower() == "none":
        return "None"
    known = {one.lower(): one for one in sd_vae.vae_dict}
    found = known.get(name.lower()) or next((one for low, one in known.items() if low.startswith(name.lower())), None)
    if found is None:
        raise BadRequest(
            f"VAE: there is no {name!r}. There are: None, Automatic{''.join(f', {one}' for one in known)}."
        )
    return found


def apply_vae(p: Any, x: str, xs: Sequence[str]) -> None:
    p.override_settings["sd_vae"] = find_vae(x)


def apply_styles(p: Any, x: str, xs: Sequence[str]) -> None:
    p.styles = [*p.styles, *(one.strip() for one in x.split(","))]


def apply_uni_pc_order(p: Any, x: int, xs: Sequence[int]) -> None:
    p.override_settings["uni_pc_order"] = min(x, p.steps - 1)


def apply_face_restore(p: Any, x: str, xs: Sequence[str]) -> None:
    models = {"codeformer": "CodeFormer", "gfpgan": "GFPGAN"}
    model = models.get(x.lower())
    if model:
        p.override_settings["face_restoration_model"] = model
    p.restore_faces = bool(model) or x.lower() in ("true", "yes", "y", "1")


def apply_size(p: Any, x: str, xs: Sequence[str]) -> None:
    p.width, p.height = size_of(x)


def size_of(text: str) -> tuple[int, int]:
    """Width and height of "640x512". Raises: BadRequest."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.strip().isdecimal() and height.strip().isdecimal()):
        raise BadRequest(f"Size: {text!r} is no size. Write width x height, for example 512x768.")
    return int(width), int(height)


# -- what is checked before anything is drawn ------------------------------------------------------------------------


def confirm_prompt(p: Any, xs: Sequence[str]) -> None:
    if xs[0] not in p.prompt and xs[0] not in p.negative_prompt:
        raise BadRequest(f"Prompt S/R did not find {xs[0]!r} in prompt or negative prompt.")


def confirm_order(p: Any, xs: Sequence[Sequence[str]]) -> None:
    missing = [word for word in xs[0] if word not in p.prompt]
    if missing:
        raise BadRequest(f"Prompt order did not find {missing[0]!r} in the prompt.")


def confirm_samplers(p: Any, xs: Sequence[str]) -> None:
    for x in xs:
        if x.lower() not in samplers().samplers_map:
            raise BadRequest(f"Unknown sampler: {x}. {near(x, [one.name for one in samplers().all_samplers])}")


def confirm_schedules(p: Any, xs: Sequence[str]) -> None:
    for x in xs:
        if x not in schedules().schedulers_map:
            raise BadRequest(f"Unknown schedule type: {x}. {near(x, [one.label for one in schedules().schedulers])}")


def confirm_checkpoints(p: Any, xs: Sequence[str]) -> None:
    for x in xs:
        if sd_models.get_closet_checkpoint_match(x) is None:
            raise BadRequest(f"Unknown checkpoint: {x}. {near(x, sd_models.checkpoint_tiles())}")


def confirm_checkpoints_or_none(p: Any, xs: Sequence[str]) -> None:
    confirm_checkpoints(p, [x for x in xs if x not in (None, "", "None", "none")])


def confirm_vaes(p: Any, xs: Sequence[str]) -> None:
    for x in xs:
        find_vae(x)


def confirm_styles(p: Any, xs: Sequence[str]) -> None:
    known = shared.prompt_styles.styles
    for name in (one.strip() for x in xs for one in x.split(",")):
        if name not in known:
            raise BadRequest(f"Unknown style: {name}. {near(name, list(known))}")


def confirm_sizes(p: Any, xs: Sequence[str]) -> None:
    for x in xs:
        size_of(x)


def confirm_range(minimum: float, maximum: float, label: str) -> Callable[[Any, Sequence[Any]], None]:
    def confirm(p: Any, xs: Sequence[Any]) -> None:
        for x in xs:
            if not minimum <= x <= maximum:
                raise BadRequest(f"{label}: {x} is not between {minimum} and {maximum}.")

    return confirm


def samplers() -> Any:
    """modules.sd_samplers, which comes with torch: scripts are listed without."""
    from modules import sd_samplers

    return sd_samplers


def schedules() -> Any:
    """modules.sd_schedulers, likewise."""
    from modules import sd_schedulers

    return sd_schedulers


def near(name: str, known: Sequence[str]) -> str:
    close = nearest(name, known)
    return f"Did you mean {close}?" if close else f"There are: {', '.join(known) or 'none'}."


# -- how a value is written beside the grid --------------------------------------------------------------------------


def format_value_add_label(p: Any, opt: AxisOption, x: Any) -> str:
    return f"{opt.label}: {round(x, 8) if isinstance(x, float) else x}"


def format_value(p: Any, opt: AxisOption, x: Any) -> Any:
    return round(x, 8) if isinstance(x, float) else x


def format_value_join_list(p: Any, opt: AxisOption, x: Sequence[str]) -> str:
    return ", ".join(x)


def format_nothing(p: Any, opt: AxisOption, x: Any) -> str:
    return ""


def format_remove_path(p: Any, opt: AxisOption, x: str) -> str:
    return os.path.basename(x)


def str_permutations(x: Any) -> Any:
    """The type of an axis whose values are all orders of what is listed."""
    return x


def boolean_choice(reverse: bool = False) -> Callable[[], list[str]]:
    return lambda: ["False", "True"] if reverse else ["True", "False"]


class AxisOption:
    """What an axis may vary. `apply(p, x, xs)`; cost: how much changing it costs, 0 to 1; choices: those of a menu."""

    def __init__(
        self,
        label: str,
        type: Callable[[Any], Any],
        apply: Apply,
        format_value: Callable[[Any, AxisOption, Any], Any] = format_value_add_label,
        confirm: Callable[[Any, Sequence[Any]], None] | None = None,
        cost: float = 0.0,
        choices: Callable[[], Sequence[str]] | None = None,
        prepare: Callable[[str], Sequence[Any]] | None = None,
    ) -> None:
        self.label = label
        self.type = type
        self.apply = apply
        self.format_value = format_value
        self.confirm = confirm
        self.cost = cost
        self.prepare = prepare
        self.choices = choices


class AxisOptionImg2Img(AxisOption):
    is_img2img = True


class AxisOptionTxt2Img(AxisOption):
    is_img2img = False


def _checkpoints() -> list[str]:
    return sorted(sd_models.checkpoint_tiles(), key=str.casefold)


def _upscalers() -> list[str]:
    return [*shared.latent_upscale_modes, *(one.name for one in shared.sd_upscalers)]


def _samplers() -> list[str]:
    return list(samplers().visible_sampler_names())


axis_options = [
    AxisOption("Nothing", str, do_nothing, format_value=format_nothing),
    AxisOption("Seed", int, apply_field("seed")),
    AxisOption("Var. seed", int, apply_field("subseed")),
    AxisOption("Var. strength", float, apply_field("subseed_strength"), confirm=confirm_range(0, 1, "Var. strength")),
    AxisOption("Steps", int, apply_field("steps"), confirm=confirm_range(1, 10_000, "Steps")),
    AxisOptionTxt2Img("Hires steps", int, apply_field("hr_second_pass_steps")),
    AxisOption("CFG Scale", float, apply_field("cfg_scale")),
    AxisOptionImg2Img("Image CFG Scale", float, apply_field("image_cfg_scale")),
    AxisOption("Prompt S/R", str, apply_prompt, format_value=format_value, confirm=confirm_prompt),
    AxisOption(
        "Prompt order", str_permutations, apply_order, format_value=format_value_join_list, confirm=confirm_order
    ),
    AxisOption(
        "Sampler",
        str,
        apply_field("sampler_name"),
        format_value=format_value,
        confirm=confirm_samplers,
        choices=_samplers,
    ),
    AxisOptionTxt2Img(
        "Hires sampler",
        str,
        apply_field("hr_sampler_name"),
        format_value=format_value,
        confirm=confirm_samplers,
        choices=_samplers,
    ),
    AxisOption(
        "Checkpoint name",
        str,
        apply_checkpoint,
        format_value=format_remove_path,
        confirm=confirm_checkpoints,
        cost=1.0,
        choices=_checkpoints,
    ),
    AxisOption("Negative Guidance minimum sigma", float, apply_field("s_min_uncond")),
    AxisOption("Sigma Churn", float, apply_field("s_churn")),
    AxisOption("Sigma min", float, apply_field("s_tmin")),
    AxisOption("Sigma max", float, apply_field("s_tmax")),
    AxisOption("Sigma noise", float, apply_field("s_noise")),
    AxisOption(
        "Schedule type",
        str,
        apply_field("scheduler"),
        confirm=confirm_schedules,
        choices=lambda: [one.label for one in schedules().schedulers],
    ),
    AxisOption("Schedule min sigma", float, apply_override("sigma_min")),
    AxisOption("Schedule max sigma", float, apply_override("sigma_max")),
    AxisOption("Schedule rho", float, apply_override("rho")),
    AxisOption("Beta schedule alpha", float, apply_override("beta_dist_alpha")),
    AxisOption("Beta schedule beta", float, apply_override("beta_dist_beta")),
    AxisOption("Eta", float, apply_field("eta")),
    AxisOption("Clip skip", int, apply_override("CLIP_stop_at_last_layers")),
    AxisOption("Denoising", float, apply_field("denoising_strength"), confirm=confirm_range(0, 1, "Denoising")),
    AxisOption("Initial noise multiplier", float, apply_field("initial_noise_multiplier")),
    AxisOption("Extra noise", float, apply_override("img2img_extra_noise")),
    AxisOptionTxt2Img("Hires upscaler", str, apply_field("hr_upscaler"), choices=_upscalers),
    AxisOptionImg2Img("Cond. Image Mask Weight", float, apply_override("inpainting_mask_weight")),
    AxisOption(
        "VAE",
        str,
        apply_vae,
        confirm=confirm_vaes,
        cost=0.7,
        choices=lambda: ["Automatic", "None", *sd_vae.vae_dict],
    ),
    AxisOption("Styles", str, apply_styles, confirm=confirm_styles, choices=lambda: list(shared.prompt_styles.styles)),
    AxisOption("UniPC Order", int, apply_uni_pc_order, cost=0.5),
    AxisOption("Face restore", str, apply_face_restore, format_value=format_value),
    AxisOption("Token merging ratio", float, apply_override("token_merging_ratio")),
    AxisOption("Token merging ratio high-res", float, apply_override("token_merging_ratio_hr")),
    AxisOption(
        "Always discard next-to-last sigma",
        str,
        apply_override("always_discard_next_to_last_sigma", boolean=True),
        choices=boolean_choice(reverse=True),
    ),
    AxisOption(
        "SGM noise multiplier",
        str,
        apply_override("sgm_noise_multiplier", boolean=True),
        choices=boolean_choice(reverse=True),
    ),
    AxisOption(
        "Refiner checkpoint",
        str,
        apply_field("refiner_checkpoint"),
        format_value=format_remove_path,
        confirm=confirm_checkpoints_or_none,
        cost=1.0,
        choices=lambda: ["None", *_checkpoints()],
    ),
    AxisOption("Refiner switch at", float, apply_field("refiner_switch_at")),
    AxisOption("RNG source", str, apply_override("randn_source"), choices=lambda: ["GPU", "CPU", "NV"]),
    AxisOption(
        "FP8 mode",
        str,
        apply_override("fp8_storage"),
        cost=0.9,
        choices=lambda: ["Disable", "Enable for SDXL", "Enable"],
    ),
    AxisOption("Size", str, apply_size, confirm=confirm_sizes),
    *(
        AxisOption(
            f"[Hypertile] {label}",
            kind,
            apply_override(f"hypertile_{key}", boolean=kind is str),
            choices=boolean_choice(reverse=True) if kind is str else None,
        )
        for label, kind, key in (
            ("Unet First pass Enabled", str, "enable_unet"),
            ("Unet Second pass Enabled", str, "enable_unet_secondpass"),
            ("Unet Max Depth", int, "max_depth_unet"),
            ("Unet Max Tile Size", int, "max_tile_unet"),
            ("Unet Swap Size", int, "swap_size_unet"),
            ("VAE Enabled", str, "enable_vae"),
            ("VAE Max Depth", int, "max_depth_vae"),
            ("VAE Max Tile Size", int, "max_tile_vae"),
            ("VAE Swap Size", int, "swap_size_vae"),
        )
    ),
]
