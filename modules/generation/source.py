"""The pictures that img2img starts from: resized, cut out, filled, encoded; and what is laid over the result.

Source: spec/sampling.md §8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from modules.checkpoints.bundle import ModelBundle
from modules.diffusion.guidance import Extra
from modules.diffusion.noise import ImageNoise, NoiseSource
from modules.generation.always_on import SoftInpainting, asked, entries_of
from modules.generation.denoise import Start
from modules.generation.pixels import pixels_of
from modules.generation.session import Session
from modules.generation.soft_inpainting import blend_by
from modules.generation.vae import encoded
from modules.imaging.masks import (
    Region,
    cut_out,
    filled,
    flattened,
    latent_mask,
    masked_region,
    overlay_of,
    prepared_mask,
    whole_region,
)
from modules.imaging.resize import ResizeMode, resize
from modules.terms.request import Mask, Source

LATENT_NOISE, LATENT_NOTHING = 2, 3
ORIGINAL = 1


@dataclass(frozen=True)
class Prepared:
    """What a batch starts from, and what its pictures are finished with.

    overlays: the originals with what is repainted taken out, one per picture, or none. box: where the drawn part lies
    in the original. mask: as it is shown and saved. targets: the pictures whose colours the results are to have.
    originals: what the overlays were cut out of. soft: how the result decides by itself where it shows.
    """

    start: Start
    overlays: tuple[Image.Image, ...] = ()
    region: Region | None = None
    targets: tuple[Image.Image, ...] = ()
    originals: tuple[Image.Image, ...] = ()
    soft: SoftInpainting | None = None


@dataclass(frozen=True)
class _Sheets:
    """The pictures on their way to the VAE."""

    images: list[Image.Image]
    overlays: list[Image.Image] = field(default_factory=list)
    originals: list[Image.Image] = field(default_factory=list)

    def repeated(self, count: int) -> _Sheets:
        """One picture for each of a batch of `count`."""
        if len(self.images) != 1:
            return self
        return _Sheets(self.images * count, self.overlays * count, self.originals * count)


def prepare_source(session: Session, source: Source) -> Prepared:
    """The start of every batch of a job: the same latents for all, as A1111 makes them once per job."""
    request, settings, bundle = session.request, session.settings, session.bundle
    soft = asked(request, SoftInpainting) if source.mask else None
    if soft is not None and source.mask is not None:
        source = replace(source, mask=replace(source.mask, round=False))
        session.scripts.update(entries_of(soft))
    width, height = request.width, request.height
    region = _region(session, source)
    sheets = _sheets(session, source, region)
    count = request.batch_size
    pixels = pixels_of(sheets.images).to(bundle.device)
    latents = encoded(session, bundle, pixels)
    latents = latents.expand(count, -1, -1, -1) if len(latents) == 1 else latents
    downscale = bundle.latent.downscale
    size = (height // downscale, width // downscale)
    if source.resize_mode == ResizeMode.LATENT:
        latents = interpolate(latents, size=size, mode="bilinear")
    paint = None
    if region is not None and source.mask is not None:
        mask = region.mask if source.mask.latent is None else source.mask.latent
        shares = latent_mask(mask, latents.shape[-1], latents.shape[-2], soft=not source.mask.round)
        paint = torch.from_numpy(shares)[None, None].to(latents)
        latents = _blank(session, latents, paint, source.mask.fill)
    multiplier = source.initial_noise_multiplier
    # Read from the user's settings, not from the request's: A1111 looks before it applies those.
    multiplier = session.tools.settings["initial_noise_multiplier"] if multiplier is None else multiplier
    if multiplier != 1:
        session.extra["Noise multiplier"] = multiplier
    blend = blend_by(soft, paint) if soft is not None and paint is not None else None
    start = Start(latents, paint, image_conditioning(session, pixels, region, source.mask), multiplier, blend)
    sheets = sheets.repeated(count)
    targets = (source.colours or sheets.images) if settings["img2img_color_correction"] else []
    return Prepared(
        start, tuple(sheets.overlays), region, tuple(targets), tuple(sheets.originals), soft if blend else None
    )


def _region(session: Session, source: Source) -> Region | None:
    """How the mask is applied; None without one, or if it is to be cut out and covers nothing."""
    mask, request = source.mask, session.request
    if mask is None:
        return None
    prepared = prepared_mask(
        mask.image, invert=mask.invert, blur_x=mask.blur_x, blur_y=mask.blur_y, round_alpha=mask.round
    )
    if not mask.only_masked:
        return whole_region(prepared, request.width, request.height, source.resize_mode)
    region = masked_region(prepared, request.width, request.height, mask.padding)
    if region is None:
        session.note("The mask is empty, so the whole picture was redrawn. Paint what shall change.")
        session.extra.update(dict.fromkeys(("Inpaint area", "Masked area padding", "Masked content")))
    return region


def _sheets(session: Session, source: Source, region: Region | None) -> _Sheets:
    """Every source picture at the size that is drawn, with the part to be repainted filled if so asked."""
    request, settings = session.request, session.settings
    upscale = session.enlarge(settings["upscaler_for_img2img"], 0)
    sheets = _Sheets([])
    for original in source.images:
        image = flattened(original, settings["img2img_background_color"])
        cropping = region is not None and region.box is not None
        if not cropping and source.resize_mode != ResizeMode.LATENT:
            image = resize(image, request.width, request.height, source.resize_mode, upscale)
        if region is not None:
            overlay_mask = region.overlay
            if overlay_mask.size != image.size:
                # The mask was drawn over another size than the picture has.
                overlay_mask = overlay_mask.resize(image.size)
            sheets.originals.append(image)
            sheets.overlays.append(overlay_of(image, overlay_mask))
            if region.box is not None:
                image = cut_out(image, region.box, request.width, request.height, upscale)
            if source.mask is not None and source.mask.fill != ORIGINAL:
                image = filled(image, region.mask)
        sheets.images.append(image)
    return sheets


def _blank(session: Session, latents: Tensor, paint: Tensor, fill: int) -> Tensor:
    """`latents` with noise or nothing where it is painted, if the mask's content says so."""
    keep = 1 - paint
    if fill == LATENT_NOISE:
        source: NoiseSource = session.settings["randn_source"]
        seeds = session.plan.batches[0].seeds[: len(latents)]
        shape = (latents.shape[1], latents.shape[2], latents.shape[3])
        noise = ImageNoise(shape, seeds, source=source, device=latents.device).first()
        return latents * keep + noise * paint
    return latents * keep if fill == LATENT_NOTHING else latents


def image_conditioning(session: Session, pixels: Tensor, region: Region | None, asked_for: Mask | None) -> Extra | None:
    """The channels that inpainting and edit models see beside the latents; None for other models.

    pixels: (B or 1, 3, H, W) in [-1, 1]. Source: spec/sampling.md §7.
    """
    bundle, request = session.bundle, session.request
    if bundle.variant == "edit":
        channels = encoded(session, bundle, pixels, scaled=False).expand(request.batch_size, -1, -1, -1)
        return Extra(channels, channels, torch.zeros_like(channels))
    if bundle.variant == "reference":
        return Extra(encoded(session, bundle, pixels).expand(request.batch_size, -1, -1, -1))
    if bundle.variant != "inpaint":
        return None
    if region is None:
        mask = pixels.new_ones(1, 1, *pixels.shape[-2:])
    else:
        soft = asked_for is not None and not asked_for.round
        shares = latent_mask(region.mask, pixels.shape[-1], pixels.shape[-2], soft=soft)
        mask = torch.from_numpy(shares)[None, None].to(pixels)
    masked = torch.lerp(pixels, pixels * (1 - mask), session.settings["inpainting_mask_weight"])
    return masked_conditioning(session, bundle, masked, mask)


def masked_conditioning(session: Session, bundle: ModelBundle, masked: Tensor, mask: Tensor) -> Extra:
    """[mask, masked picture] as an inpainting model wants them: (B, 1 + C, h, w) for those of Stable Diffusion."""
    latents = encoded(session, bundle, masked)
    if bundle.blueprint.beside is not None:
        return Extra(bundle.blueprint.beside(latents, mask).expand(session.request.batch_size, -1, -1, -1))
    small = interpolate(mask, size=latents.shape[-2:])
    channels = torch.cat([small.expand(len(latents), -1, -1, -1), latents], dim=1)
    return Extra(channels.expand(session.request.batch_size, -1, -1, -1))


def blank_conditioning(session: Session, bundle: ModelBundle, width: int, height: int) -> Extra | None:
    """What an inpainting or edit model sees beside the latents when there is no picture; None for other models."""
    downscale = bundle.latent.downscale
    if bundle.variant == "edit":
        size = session.request.batch_size, bundle.extra_channels, height // downscale, width // downscale
        zeros = torch.zeros(size, device=bundle.device)
        return Extra(zeros)
    if bundle.variant != "inpaint":
        return None
    grey = torch.zeros(1, 3, height, width, device=bundle.device)
    return masked_conditioning(session, bundle, grey, torch.ones(1, 1, height, width, device=bundle.device))


def batch_count(source: Source | None, batch_size: int) -> int:
    """How many pictures a batch has: as many as there are sources, if there are several."""
    images: Sequence[Image.Image] = source.images if source else ()
    return len(images) if len(images) > 1 else batch_size
