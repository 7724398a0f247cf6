"""Networks that steer a UNet: they look at a picture once, and put feature maps beside the UNet's own at every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from modules.checkpoints.asking import Residuals

if TYPE_CHECKING:
    from diffusers.models.adapter import T2IAdapter
    from diffusers.models.controlnets.controlnet import ControlNetModel

Maps = tuple[Tensor, ...]

ADAPTER_SOFTNESS = (0.25, 0.62, 0.825, 1.0)


class SteeringNetwork(Protocol):
    """Maps are ordered from fine to coarse; all are (B, C, h, w)."""

    @property
    def pixels_per_latent(self) -> int:
        """How many pixels of the hint stand for one latent, on a side."""
        ...

    @property
    def depends_on_latents(self) -> bool:
        """False: `maps` are what `encode` returned, whatever is drawn."""
        ...

    def encode(self, hint: Tensor) -> Maps:
        """What `maps` wants to know of the hint (B, 3, H, W), 0 to 1 (-1 where an inpainting hint is masked)."""
        ...

    def maps(self, encoded: Maps, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None) -> Maps:
        """The feature maps for a call of the UNet that is told the same. `encoded` has one row, or one per row of x."""
        ...

    def residuals(self, maps: Maps) -> Residuals:
        """`maps`, each in its place in the UNet."""
        ...

    def softness(self, count: int) -> tuple[float, ...]:
        """Weights of `count` maps that leave the prompt more room."""
        ...


class ControlNet:
    """A copy of the UNet's downward half that sees the hint beside the latents."""

    depends_on_latents = True

    def __init__(self, model: ControlNetModel) -> None:
        # The hint is the same at every call: what the network sees in it is put in ready-made.
        self._eye = model.controlnet_cond_embedding
        model.controlnet_cond_embedding = nn.Identity()  # type: ignore[assignment]
        self._model, self._device, self._dtype = model, model.device, model.dtype
        self.pixels_per_latent = 2 ** (len(model.config["conditioning_embedding_out_channels"]) - 1)

    @torch.no_grad()
    def encode(self, hint: Tensor) -> Maps:
        return (self._eye(hint.to(self._device, self._dtype)),)

    @torch.no_grad()
    def maps(self, encoded: Maps, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None) -> Maps:
        down, middle = self._model(
            x.to(self._dtype),
            timestep,
            encoder_hidden_states=cross.to(self._device, self._dtype),
            controlnet_cond=encoded[0],
            class_labels=None if vector is None else vector.to(self._device, self._dtype),
            return_dict=False,
        )
        return (*down, middle)

    def residuals(self, maps: Maps) -> Residuals:
        return Residuals(across=maps[:-1], middle=maps[-1])

    def softness(self, count: int) -> tuple[float, ...]:
        # Counted for the 13 maps of SD 1.x whatever the network, as the extension does.
        return tuple(0.825 ** max(0, 12 - place) for place in range(count))


class Adapter:
    """A small network that knows neither latents nor text: its maps are the same at every call."""

    depends_on_latents = False

    def __init__(self, model: T2IAdapter) -> None:
        self._model, self._device, self._dtype = model, model.device, model.dtype
        self._side = int(model.downscale_factor)
        # Those for SDXL begin one level deeper than the latents.
        self.pixels_per_latent = self._side // (2 if model.config["adapter_type"] == "full_adapter_xl" else 1)

    @torch.no_grad()
    def encode(self, hint: Tensor) -> Maps:
        height, width = hint.shape[-2:]
        whole = pad(hint, (0, -width % self._side, 0, -height % self._side), mode="replicate")
        seen = whole[:, : int(self._model.config["in_channels"])]
        return tuple(self._model(seen.to(self._device, self._dtype)))

    def maps(self, encoded: Maps, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None) -> Maps:
        return encoded

    def residuals(self, maps: Maps) -> Residuals:
        return Residuals(within=maps)

    def softness(self, count: int) -> tuple[float, ...]:
        return ADAPTER_SOFTNESS[:count] + (1.0,) * (count - len(ADAPTER_SOFTNESS))
