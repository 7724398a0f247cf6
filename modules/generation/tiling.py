"""Pictures whose edges meet: while it lasts, every convolution wraps around."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from modules.checkpoints.bundle import ModelBundle


@contextmanager
def tiled(bundle: ModelBundle, wanted: bool) -> Iterator[None]:
    """Inside, the convolutions of UNet and VAE pad with the other edge, on both axes, if `wanted`."""
    if not wanted:
        yield
        return
    networks: tuple[nn.Module, ...] = (bundle.unet, bundle.vae)
    convolutions = [module for network in networks for module in network.modules() if isinstance(module, nn.Conv2d)]
    before = [convolution.padding_mode for convolution in convolutions]
    try:
        for convolution in convolutions:
            convolution.padding_mode = "circular"
        yield
    finally:
        for convolution, mode in zip(convolutions, before, strict=True):
            convolution.padding_mode = mode
