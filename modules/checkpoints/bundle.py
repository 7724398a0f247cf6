"""A loaded model: its networks, and what a generation asks of them, in the generation's units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from modules.checkpoints.asking import Question, Residuals
from modules.checkpoints.blueprint import Blueprint, FlowSchedule, Variant
from modules.checkpoints.family import Family
from modules.checkpoints.latent import LatentFormat
from modules.checkpoints.library import CheckpointInfo, VaeInfo
from modules.checkpoints.offload import Offloading
from modules.checkpoints.sidecar import PredictionName
from modules.checkpoints.sizes import PictureFacts, with_facts
from modules.checkpoints.vae_tiles import VaeTiles, in_tiles
from modules.conditioning.conditioning import Conditioning, Scheduled
from modules.conditioning.encode import TextEncoder
from modules.diffusion.denoiser import PREDICTIONS, Predictor
from modules.diffusion.levels import FlowLevels, NoiseLevels
from modules.terms.errors import BrokenResult

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

T = TypeVar("T")


@dataclass(frozen=True)
class ModelBundle:
    """What was loaded from one checkpoint. Frozen, but the networks are shared: whoever changes weights undoes it.

    unet, vae: diffusers' networks; `unet` is the denoising one, whatever its kind. clips: the text encoders, CLIP or
    not, in the order in which they are joined.
    levels: the noise the network was trained on; prediction: what it puts out. dtype: that of the denoising network.
    guidance: the scale that guidance-distilled networks are told. eight_bit: `Placement.eight_bit`.
    offloading: how the networks wait while others work, None: they do not.
    vae_info: the VAE that replaces the checkpoint's own, else None. notes: sentences for the user about the loading.
    """

    info: CheckpointInfo
    blueprint: Blueprint
    unet: Any
    vae: AutoencoderKL
    clips: tuple[TextEncoder, ...]
    levels: NoiseLevels
    latent: LatentFormat
    prediction: PredictionName
    device: torch.device
    dtype: torch.dtype
    guidance: float = 1.0
    eight_bit: bool = False
    vae_info: VaeInfo | None = None
    offloading: Offloading | None = None
    notes: tuple[str, ...] = ()

    @property
    def family(self) -> Family:
        return self.blueprint.family

    @property
    def variant(self) -> Variant:
        """What the input channels beyond the latent hold: "" (there are none), "inpaint", "edit", "depth"."""
        return self.blueprint.variant

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Every network: UNet, VAE, text encoders."""
        return (self.unet, self.vae, *(clip.model for clip in self.clips))

    @property
    def extra_channels(self) -> int:
        """How many channels `predict` wants in `extra`."""
        return self.blueprint.extra_channels

    @property
    def context_width(self) -> int:
        """Numbers per token that attention takes of the text."""
        return self.blueprint.context_width

    @property
    def module_names(self) -> Mapping[str, str]:
        """UNet modules: name in the original layout ("input_blocks.1.0.in_layers.2") -> name in `unet`. Networks
        (LoRA …) are written with the former."""
        return self.blueprint.unet.modules

    @cached_property
    def predictor(self) -> Predictor:
        """The network with the meaning of its output: noisy latents and conditioning in, clean latents out."""
        return Predictor(self.predict, PREDICTIONS[self.prediction], self.levels)

    def predict(
        self,
        x: Tensor,
        timestep: Tensor,
        cross: Tensor,
        vector: Tensor | None = None,
        extra: Tensor | None = None,
        residuals: Residuals | None = None,
    ) -> Tensor:
        """One call of the network.

        Args:
            x: (B, C, h, w), scaled to unit variance.
            timestep: (B,), may have a fraction.
            cross: (B, T, context_width).
            vector: (B, V), for families with a second conditioning.
            extra: (B, extra_channels, h, w), put after x; (B, C, h', w') for models that see another picture.
            residuals: what other networks add inside.
        Returns: (B, C, h, w) in the type of x.
        """
        height, width = x.shape[-2:]
        question = Question(
            self._filled_up(x).to(self.dtype),
            timestep,
            cross.to(self.device, self.dtype),
            None if vector is None else vector.to(self.device, self.dtype),
            None if extra is None else self._filled_up(extra).to(self.device, self.dtype),
            residuals,
            self.guidance,
        )

        def ask() -> Tensor:
            return self.blueprint.ask(self.unet, question)

        return self.enduring(ask)[..., :height, :width].to(x.dtype)

    def enduring(self, call: Callable[[], T]) -> T:
        """What `call` returns; out of memory, more of this model is offloaded and the call is made again."""
        return call() if self.offloading is None else self.offloading.enduring(call)

    def _filled_up(self, latents: Tensor) -> Tensor:
        """`latents` with their edge repeated until both sides are multiples of what the network takes at once."""
        patch = self.blueprint.patch
        missing = [-side % patch for side in latents.shape[-2:]]
        if not any(missing):
            return latents
        return pad(latents, (0, missing[1], 0, missing[0]), mode="replicate")

    def for_size(self, width: int, height: int, *, shift: float = 0.0, guidance: float | None = None) -> ModelBundle:
        """This model as it draws pictures of that size in pixels: some have other noise levels for each.

        shift: of the noise levels, 0: the model's own. guidance: what a guidance-distilled network is told.
        """
        told = self.guidance if guidance is None else guidance
        schedule = self.blueprint.schedule
        if not isinstance(schedule, FlowSchedule):
            return self
        levels = FlowLevels.shifted(shift or schedule.shift_for(width, height), schedule.count)
        return replace(self, levels=levels, guidance=told)

    def completed(self, scheduled: Scheduled, facts: PictureFacts, *, blank_negative: bool = False) -> Scheduled:
        """`scheduled` as the network takes it: with what SDXL is told of the picture; unchanged for other families.

        blank_negative: it is a negative prompt without any text, which SDXL was trained to see as zeros.
        """
        width = self.blueprint.vector
        blank = blank_negative and self.blueprint.zero_empty_negative
        if not width and not blank:
            return scheduled

        def complete(one: Conditioning) -> Conditioning:
            cross, pooled = one.cross, one.vector
            if blank:
                cross, pooled = torch.zeros_like(cross), None if pooled is None else torch.zeros_like(pooled)
            return Conditioning(cross, with_facts(pooled, facts, width) if width and pooled is not None else pooled)

        return replace(scheduled, entries=tuple((until, complete(one)) for until, one in scheduled.entries))

    @torch.no_grad()
    def encode_image(self, pixels: Tensor, *, scaled: bool = True, tiles: VaeTiles | None = None) -> Tensor:
        """Latents of `pixels` (B, 3, H, W) in [-1, 1], each picture by itself: (B, C, H / downscale, W / downscale).

        The mean of the posterior, so that the same picture gives the same latents. `scaled` False leaves the VAE's own
        units, which edit models want. tiles: how it is cut; None: not at all. Raises: BrokenResult.
        """
        means = [self._encoded(one, tiles) for one in pixels.split(1)]
        latents = torch.cat(means).float().to(self.device)
        return self.latent.to_network(latents) if scaled else latents

    @torch.no_grad()
    def decode(self, latents: Tensor, *, tiles: VaeTiles | None = None) -> Tensor:
        """Pixels (B, 3, H, W), float32, about [-1, 1] (not clamped), one picture at a time. Raises: BrokenResult."""
        return torch.cat([self._decoded(one, tiles) for one in self.latent.to_vae(latents).split(1)])

    def _encoded(self, pixels: Tensor, tiles: VaeTiles | None) -> Tensor:
        def run(given: Tensor) -> Tensor:
            moments: Tensor = self.vae.encode(given).latent_dist.mean
            return moments

        def cut(given: Tensor) -> Tensor:
            return in_tiles(run, self.vae.encoder, given, tiles or VaeTiles(), self.latent.downscale, decodes=False)

        return self._in_vae_precision(cut if tiles else run, pixels, "encoding")

    def _decoded(self, z: Tensor, tiles: VaeTiles | None) -> Tensor:
        def run(given: Tensor) -> Tensor:
            (pixels,) = self.vae.decode(given, return_dict=False)
            result: Tensor = pixels
            return result

        def cut(given: Tensor) -> Tensor:
            return in_tiles(run, self.vae.decoder, given, tiles or VaeTiles(), self.latent.downscale, decodes=True)

        return self._in_vae_precision(cut if tiles else run, z, "decoding").float()

    def _in_vae_precision(self, run: Callable[[Tensor], Tensor], given: Tensor, verb: str) -> Tensor:
        """`run` in the VAE's number format; where that overflows, in float32 from then on, as A1111 does."""
        result = run(given.to(self.vae.device, self.vae.dtype))
        if bool(torch.isnan(result).any()) and self.vae.dtype != torch.float32:
            nn.Module.to(self.vae, torch.float32)
            result = run(given.to(self.vae.device, torch.float32))
        if bool(torch.isnan(result).any()):
            raise BrokenResult(
                f"The VAE returned NaN while {verb}: the latents hold no picture, or the VAE is damaged. "
                "Try another VAE or another seed."
            )
        return result
