"""The second, larger pass: enlarge what the first one drew, and draw over it.

Source: spec/sampling.md §9.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from modules.checkpoints.bundle import ModelBundle
from modules.generation.pixels import pictures_of, pixels_of
from modules.generation.session import Session
from modules.imaging.resize import resize
from modules.terms.request import Hires

# Label -> (interpolation, antialias).
LATENT_MODES: dict[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}


@dataclass(frozen=True)
class Target:
    """The size to enlarge to, the size that remains, and how many latents are cut off in all on each axis."""

    enlarged: tuple[int, int]
    size: tuple[int, int]
    cut_x: int = 0
    cut_y: int = 0


def target_of(hires: Hires, width: int, height: int) -> Target:
    """Where a first pass of `width` x `height` goes. One side given: the other follows. Both: cover, then cut."""
    if not hires.resize_x and not hires.resize_y:
        size = int(width * hires.scale), int(height * hires.scale)
        return Target(size, size)
    if not hires.resize_y:
        size = hires.resize_x, hires.resize_x * height // width
        return Target(size, size)
    if not hires.resize_x:
        size = hires.resize_y * width // height, hires.resize_y
        return Target(size, size)
    wanted = hires.resize_x, hires.resize_y
    if width / height < wanted[0] / wanted[1]:
        enlarged = wanted[0], wanted[0] * height // width
    else:
        enlarged = wanted[1] * width // height, wanted[1]
    return Target(enlarged, wanted, (enlarged[0] - wanted[0]) // 8, (enlarged[1] - wanted[1]) // 8)


@dataclass(frozen=True)
class Enlarged:
    """latents: (B, C, h, w), clean, of the target's size. pixels: the enlarged pictures, (B, 3, H, W) in [-1, 1], if
    they went through pixels. before: the pictures of the first pass, if somebody wants them saved."""

    latents: Tensor
    pixels: Tensor | None = None
    before: tuple[Image.Image, ...] = ()


def enlarge(session: Session, hires: Hires, latents: Tensor, target: Target, onto: ModelBundle) -> Enlarged:
    """What the first pass drew, at the size of the second, which `onto` draws. Raises: NotFound for an upscaler."""
    bundle = session.bundle
    width, height = target.enlarged
    keep_before = session.settings["save_images_before_highres_fix"]
    if hires.upscaler in LATENT_MODES:
        mode, antialias = LATENT_MODES[hires.upscaler]
        size = (height // bundle.latent.downscale, width // bundle.latent.downscale)
        larger = interpolate(latents, size=size, mode=mode, antialias=antialias)
        before = tuple(pictures_of(bundle.decode(latents))) if keep_before else ()
        return Enlarged(cut(larger, target), None, before)
    upscale = session.tools.enlarge(hires.upscaler)
    pictures = pictures_of(bundle.decode(latents))
    pixels = pixels_of([resize(picture, width, height, upscale=upscale) for picture in pictures]).to(bundle.device)
    encoded = onto.encode_image(pixels)
    return Enlarged(cut(encoded, target), pixels, tuple(pictures) if keep_before else ())


def cut(latents: Tensor, target: Target) -> Tensor:
    """`latents` without what sticks out of the target; of an odd surplus, more goes at the right and bottom."""
    height, width = latents.shape[-2:]
    left, right = target.cut_x // 2, width - (target.cut_x + 1) // 2
    top, bottom = target.cut_y // 2, height - (target.cut_y + 1) // 2
    return latents[..., top:bottom, left:right]
