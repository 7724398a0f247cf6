"""What a model takes, told from its header before anything is loaded, or from its networks once they are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from modules.checkpoints.budget import Need, Work, decode_bytes, step_bytes
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.components import Component
from modules.checkpoints.files import Header, read_header
from modules.checkpoints.load import Placement, whole_blueprint
from modules.checkpoints.offload import bytes_of
from modules.checkpoints.tensor_info import TensorInfo

TABLES = ("embedding", "embed_tokens", "shared")
LARGEST_DECODED = 768 * 768  # pixels; a larger picture is decoded in tiles before memory runs out


def need_before(
    header: Header,
    placement: Placement,
    companions: Companions | None = None,
    modules: Sequence[str] = (),
    work: Work | None = None,
) -> Need:
    """What the checkpoint `header` will take in the formats of `placement`, and drawing `work` with it.

    Raises: UnknownFile, NotFound.
    """
    blueprint = whole_blueprint(header, companions or Companions(), modules)
    denoising = placement.wide if blueprint.wide_range else placement.unet

    def size(component: Component[Any], dtype: torch.dtype, *, packed: bool) -> int:
        tensors = (read_header(component.source) if component.source else header).tensors
        names = {piece.key: name for name, piece in component.pieces.items()}
        return sum(
            tensors[key].bytes_in(1 if packed and _is_packed(name, tensors[key]) else dtype.itemsize)
            for key, name in names.items()
        )

    texts = (
        size(part.component, placement.large_text if part.large else placement.text, packed=placement.eight_bit)
        for part in blueprint.text
    )
    downscale = blueprint.latent.downscale
    return Need(
        denoiser=size(blueprint.unet, denoising, packed=placement.eight_bit),
        texts=sum(texts),
        vae=size(blueprint.vae, placement.vae, packed=False) if blueprint.vae else 0,
        step=step_bytes(blueprint.unet.config, work, downscale, denoising.itemsize) if work else 0,
        decode=decode_bytes(
            blueprint.vae.config if blueprint.vae else {}, work, placement.vae.itemsize, LARGEST_DECODED
        )
        if work
        else 0,
    )


def _is_packed(name: str, tensor: TensorInfo) -> bool:
    """Whether it is a matrix or a convolution, and no table of words."""
    return len(tensor.shape) > 1 and not name.removesuffix(".weight").endswith(TABLES)


def need_of(bundle: ModelBundle, work: Work) -> Need:
    """What drawing `work` with `bundle` takes of the device."""
    denoiser, vae, *texts = (bytes_of(one) for one in bundle.networks)
    return Need(
        denoiser=denoiser,
        texts=sum(texts),
        vae=vae,
        step=step_bytes(bundle.unet.config, work, bundle.latent.downscale, bundle.dtype.itemsize),
        decode=decode_bytes(bundle.vae.config, work, bundle.vae.dtype.itemsize, LARGEST_DECODED),
    )
