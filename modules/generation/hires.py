"""The second, larger pass: enlarge what the first one drew, and draw over it.

Source: spec/sampling.md §9.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from modules.checkpoints.budget import Work
from modules.checkpoints.bundle import ModelBundle
from modules.generation.pixels import pixels_of
from modules.generation.session import Session
from modules.generation.tools import Tools
from modules.generation.vae import encoded
from modules.imaging.masks import flattened
from modules.imaging.resize import resize
from modules.terms.hires_size import Target, target_of
from modules.terms.request import GenerationRequest, Hires

# Label -> (interpolation, antialias).
LATENT_MODES: dict[str, tuple[str, bool]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}


def enlarge(
    session: Session,
    hires: Hires,
    latents: Tensor,
    pictures: Sequence[Image.Image],
    target: Target,
    onto: ModelBundle,
    number: int = 0,
) -> Tensor:
    """What the first pass drew, as clean latents (B, C, h, w) of the target's size, which `onto` goes on with.

    Latent modes take the `latents`, upscalers the `pictures`. `number`: how many passes are done.
    Raises: NotFound for an upscaler; Interrupted, Skipped, Cancelled if the watcher ends it between two tiles.
    """
    width, height = target.enlarged
    if hires.upscaler in LATENT_MODES:
        mode, antialias = LATENT_MODES[hires.upscaler]
        downscale = session.bundle.latent.downscale
        size = (height // downscale, width // downscale)
        return cut(interpolate(latents, size=size, mode=mode, antialias=antialias), target)
    upscale = session.enlarge(hires.upscaler, number)
    pixels = pixels_of([resize(picture, width, height, upscale=upscale) for picture in pictures]).to(onto.device)
    return cut(encoded(session, onto, pixels, number), target)


def taken(session: Session, hires: Hires, picture: Image.Image, number: int) -> tuple[Tensor, list[Image.Image]]:
    """A picture that is there, in place of a first pass: (latents, pictures), one for each of a batch.

    There are latents for the latent modes only; upscalers do without: (B, 0). number: how many passes are done.
    """
    count = session.request.batch_size
    picture = flattened(picture, session.settings["img2img_background_color"])
    if hires.upscaler not in LATENT_MODES:
        return torch.empty(count, 0), [picture] * count
    # The VAE knows whole latents only: what is left over at the right and bottom would be dropped there.
    downscale = session.bundle.latent.downscale
    width, height = (side // downscale * downscale for side in picture.size)
    whole = picture.crop((0, 0, width, height))
    latents = encoded(session, session.bundle, pixels_of([whole]).to(session.bundle.device), number)
    return latents.expand(count, -1, -1, -1), [picture] * count


def work_of(request: GenerationRequest) -> Work:
    """The largest pass of the job, as far as memory is concerned."""
    width, height = request.width, request.height
    if request.hires:
        target = target_of(request.hires, width, height).size
        width, height = max(width, target[0]), max(height, target[1])
    return Work(width, height, request.batch_size, doubled=request.cfg_scale != 1)


def check_upscaler(hires: Hires | None, tools: Tools) -> None:
    """Raises: NotFound now, not after the first pass, if the upscaler is not there."""
    if hires is not None and hires.upscaler not in LATENT_MODES:
        tools.upscaler(hires.upscaler)


def cut(latents: Tensor, target: Target) -> Tensor:
    """`latents` without what sticks out of the target; of an odd surplus, more goes at the right and bottom."""
    height, width = latents.shape[-2:]
    left, right = target.cut_x // 2, width - (target.cut_x + 1) // 2
    top, bottom = target.cut_y // 2, height - (target.cut_y + 1) // 2
    return latents[..., top:bottom, left:right]
