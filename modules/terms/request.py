"""What one press of Generate asks for. Frozen; txt2img, img2img, inpaint and hires differ only in their parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.terms.control import ControlUnit
from modules.terms.declare import Checkbox, Choice, Number, Slider, Text, param, params_of
from modules.terms.detail import DetailPass
from modules.terms.errors import BadRequest
from modules.terms.hires_size import MAX_SIDE, check_size

if TYPE_CHECKING:
    from PIL.Image import Image

LATENT_RESIZE = 3
MAX_PIXELS_ENCODED = 1 << 24
# What PyTorch's generators take, with room for the seeds of a job's other pictures.
MAX_SEED = (1 << 63) - (1 << 20)
# Thousands of words: each 75 tokens cost a run of the text encoder, and every step looks at all of them.
MAX_PROMPT = 100_000
MAX_STEPS = 10_000
MAX_PIXELS_IN_BATCH = 1 << 28


@dataclass(frozen=True)
class Mask:
    """Which part of the source is repainted. `image` is mode L; white is repainted. Source: spec/sampling.md §8.

    latent: another mask for the latents, of the size that is drawn; None: `image` as it is applied.
    """

    image: Image
    blur_x: int = 4
    blur_y: int = 4
    invert: bool = param(False, "Mask mode", Checkbox(), key="inpainting_mask_invert", infotext="Mask mode")
    fill: int = param(1, "Masked content", Choice((0, 1, 2, 3)), key="inpainting_fill", infotext="Masked content")
    only_masked: bool = param(False, "Inpaint area", Checkbox(), key="inpaint_full_res", infotext="Inpaint area")
    padding: int = param(
        32,
        "Only masked padding, pixels",
        Slider(0, 256, 4),
        key="inpaint_full_res_padding",
        infotext="Masked area padding",
    )
    round: bool = True
    latent: Image | None = None


@dataclass(frozen=True)
class Source:
    """The pictures that img2img starts from: one for all, or one per picture of the batch.

    colours: the pictures whose colours the results are to have, where the settings ask for that; none: `images`.
    """

    images: tuple[Image, ...]
    resize_mode: int = param(0, "Resize mode", Choice((0, 1, 2, 3)))
    mask: Mask | None = None
    image_cfg_scale: float | None = param(1.5, "Image CFG Scale", Slider(0, 3, 0.05), infotext="Image CFG scale")
    initial_noise_multiplier: float | None = param(
        None, "Noise multiplier", Slider(0, 1.5, 0.001), infotext="Noise multiplier"
    )
    colours: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Hires:
    """The second, larger pass. `upscaler`: a latent mode or the name of an upscaler; 0 and "" mean: as in the first.

    picture: stands for what the first pass would draw, which is left out; the request's size is its size.
    """

    scale: float = param(2.0, "Upscale by", Slider(1, 4, 0.05), key="hr_scale", infotext="Hires upscale")
    upscaler: str = param(
        "Latent", "Upscaler", Choice(listing="upscalers"), key="hr_upscaler", infotext="Hires upscaler"
    )
    steps: int = param(0, "Hires steps", Slider(0, 150), key="hr_second_pass_steps", infotext="Hires steps")
    resize_x: int = param(0, "Resize width to", Slider(0, 2048, 8), key="hr_resize_x", infotext="Hires resize-1")
    resize_y: int = param(0, "Resize height to", Slider(0, 2048, 8), key="hr_resize_y", infotext="Hires resize-2")
    checkpoint: str = param(
        "", "Hires checkpoint", Choice(listing="checkpoints"), key="hr_checkpoint_name", infotext="Hires checkpoint"
    )
    sampler: str = param(
        "", "Hires sampling method", Choice(listing="samplers"), key="hr_sampler_name", infotext="Hires sampler"
    )
    scheduler: str = param(
        "", "Hires schedule type", Choice(listing="schedulers"), key="hr_scheduler", infotext="Hires schedule type"
    )
    prompt: str = param("", "Hires prompt", Text(3), key="hr_prompt", infotext="Hires prompt")
    negative_prompt: str = param(
        "", "Hires negative prompt", Text(3), key="hr_negative_prompt", infotext="Hires negative prompt"
    )
    picture: Image | None = None


@dataclass(frozen=True)
class Refiner:
    """A second checkpoint that takes over at `switch_at` (0 to 1 of the noise levels)."""

    checkpoint: str = param(
        "", "Refiner checkpoint", Choice(listing="checkpoints"), key="refiner_checkpoint", infotext="Refiner"
    )
    switch_at: float = param(
        0.8, "Switch at", Slider(0.01, 1, 0.01), key="refiner_switch_at", infotext="Refiner switch at"
    )


@dataclass(frozen=True)
class GenerationRequest:
    """One press of Generate. Running the *resolved* request of a result again gives the same pictures.

    seed / subseed -1 mean: choose one. Optional numbers that are None mean: as the settings say. `checkpoint` None
    means: the one the settings name. `settings` holds override_settings: they hold for this request alone.
    `scripts` are the always-on scripts' arguments by title, `script` the selected one with its arguments.
    """

    prompt: str = param("", "Prompt", Text(3), infotext="Prompt")
    negative_prompt: str = param("", "Negative prompt", Text(3), infotext="Negative prompt")
    styles: tuple[str, ...] = param((), "Styles", Choice(listing="styles", many=True))
    steps: int = param(20, "Sampling steps", Slider(1, 150), infotext="Steps")
    sampler: str = param("Euler", "Sampling method", Choice(listing="samplers"), key="sampler_name", infotext="Sampler")
    scheduler: str = param("Automatic", "Schedule type", Choice(listing="schedulers"), infotext="Schedule type")
    cfg_scale: float = param(7.0, "CFG Scale", Slider(1, 30, 0.5), infotext="CFG scale")
    distilled_cfg_scale: float = param(
        0.0,
        "Distilled CFG Scale",
        Slider(0, 30, 0.1),
        infotext="Distilled CFG Scale",
        help="For FLUX and its kin, which were taught to follow it without a negative prompt. 0: as the model likes.",
    )
    seed: int = param(-1, "Seed", Number(integer=True), infotext="Seed")
    subseed: int = param(-1, "Variation seed", Number(integer=True), infotext="Variation seed")
    subseed_strength: float = param(0.0, "Variation strength", Slider(0, 1, 0.01), infotext="Variation seed strength")
    seed_resize_from_w: int = param(0, "Resize seed from width", Slider(0, 2048, 8), infotext="Seed resize from-1")
    seed_resize_from_h: int = param(0, "Resize seed from height", Slider(0, 2048, 8), infotext="Seed resize from-2")
    width: int = param(512, "Width", Slider(64, 2048, 8), infotext="Size-1")
    height: int = param(512, "Height", Slider(64, 2048, 8), infotext="Size-2")
    batch_size: int = param(1, "Batch size", Slider(1, 8))
    n_iter: int = param(1, "Batch count", Slider(1, 100))
    denoising_strength: float | None = param(
        None, "Denoising strength", Slider(0, 1, 0.01, strict=True), infotext="Denoising strength"
    )
    restore_faces: bool | None = param(None, "Restore faces", Checkbox(), infotext="Face restoration")
    tiling: bool | None = param(None, "Tiling", Checkbox(), infotext="Tiling")
    eta: float | None = param(None, "Eta", Slider(0, 1, 0.01))
    s_churn: float | None = param(None, "Sigma churn", Slider(0, 100, 0.01))
    s_tmin: float | None = param(None, "Sigma tmin", Slider(0, 10, 0.01))
    s_tmax: float | None = param(None, "Sigma tmax", Slider(0, 999, 0.01))
    s_noise: float | None = param(None, "Sigma noise", Slider(0, 1.1, 0.001))
    s_min_uncond: float | None = param(None, "Negative guidance minimum sigma", Slider(0, 15, 0.01), infotext="NGMS")
    checkpoint: str | None = param(None, "Checkpoint", Choice(listing="checkpoints"), key="sd_model_checkpoint")
    source: Source | None = None
    hires: Hires | None = None
    refiner: Refiner | None = None
    controls: tuple[ControlUnit, ...] = ()
    detail: DetailPass | None = None
    disable_extra_networks: bool = param(False, "Disable extra networks", Checkbox())
    settings: Mapping[str, Any] = field(default_factory=dict)
    script: tuple[str, tuple[Any, ...]] | None = None
    scripts: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def with_(self, **changes: Any) -> GenerationRequest:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)

    def check(self) -> None:
        """Raises: BadRequest naming the first value that cannot be honoured and what would be."""
        details = self.detail.units if self.detail else ()
        parts = (self, self.source, self.source and self.source.mask, self.hires, self.refiner)
        for part in (*parts, *self.controls, *details):
            if part is not None:
                check_params(part)
        for unit in self.controls:
            unit.check()
        for detail in details:
            detail.check()
        for name, minimum in (("steps", 1), ("batch_size", 1), ("n_iter", 1), ("width", 64), ("height", 64)):
            if getattr(self, name) < minimum:
                raise BadRequest(f"{name} is {getattr(self, name)}, but must be at least {minimum}.")
        for name, maximum in (
            ("steps", MAX_STEPS),
            ("batch_size", 64),
            ("n_iter", 10_000),
            ("width", MAX_SIDE),
            ("height", MAX_SIDE),
            ("seed_resize_from_w", MAX_SIDE),
            ("seed_resize_from_h", MAX_SIDE),
        ):
            if getattr(self, name) > maximum:
                raise BadRequest(f"{name} is {getattr(self, name)}, but must be at most {maximum}.")
        if self.width * self.height * self.batch_size > MAX_PIXELS_IN_BATCH:
            raise BadRequest(
                f"{self.batch_size} pictures of {self.width}x{self.height} at once are too many pixels. "
                "Lower the batch size or the size."
            )
        for name in ("seed", "subseed"):
            if getattr(self, name) > MAX_SEED:
                raise BadRequest(f"{name} is {getattr(self, name)}, but must be at most {MAX_SEED}.")
        for name in ("prompt", "negative_prompt"):
            if len(getattr(self, name)) > MAX_PROMPT:
                raise BadRequest(f"{name} has {len(getattr(self, name))} characters; at most {MAX_PROMPT} are read.")
        if self.hires is not None:
            check_size(self.hires, self.width, self.height)
            if not 0 <= self.hires.steps <= MAX_STEPS:
                raise BadRequest(f"Hires steps is {self.hires.steps}, but must be between 0 and {MAX_STEPS}.")
        if self.source is not None and not self.source.images:
            raise BadRequest("img2img needs a picture to start from: drop one on the tab or send init_images.")
        if self.source is not None and self.source.resize_mode == LATENT_RESIZE:
            for image in self.source.images:
                if image.width * image.height > MAX_PIXELS_ENCODED:
                    raise BadRequest(
                        f"resize_mode {LATENT_RESIZE} encodes the picture as large as it is, and {image.width}x"
                        f"{image.height} is too large: {MAX_PIXELS_ENCODED / 1e6:.0f} megapixels at most. "
                        "Choose another mode."
                    )


def check_params(part: Any) -> None:
    """Raises: BadRequest naming the first field of `part` that is out of its bounds."""
    for name, declared in params_of(type(part)).items():
        value = getattr(part, name)
        if value is None and declared.default is None:
            continue
        wrong = declared.control.check(value)
        if wrong:
            raise BadRequest(f"{declared.label} ({declared.key}) is {value!r}, but {wrong}.")
