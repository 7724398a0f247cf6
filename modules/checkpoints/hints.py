"""Decisions that the families of the original layout share: what sidecar, marker keys and metadata say of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from modules.checkpoints.blueprint import Schedule, Variant
from modules.checkpoints.components import Component
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.latent import LatentFormat
from modules.checkpoints.sidecar import PredictionName, Sidecar
from modules.terms.errors import UnknownFile


def said_prediction(header: Header, sidecar: Sidecar) -> PredictionName | None:
    """What the network predicts, if sidecar, marker key or metadata say so.

    What a person noted for this file wins. The marker keys `v_pred` and `ztsnr` are a convention of SDXL finetunes
    (NoobAI and others); the metadata key is that of the ModelSpec standard.
    """
    if sidecar.prediction:
        return sidecar.prediction
    if "v_pred" in header:
        return "v"
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    if said in ("v", "v_prediction", "v-prediction"):
        return "v"
    return "epsilon" if said in ("epsilon", "eps") else None


def said_variant(header: Header, sidecar: Sidecar, names: Mapping[str, Variant]) -> Variant:
    """The variant that a person noted for this file, else the one whose word stands in its metadata or its name.

    names: word in lower case -> variant, for those that have the same shapes. "" if nothing tells.
    """
    if sidecar.variant is not None:
        return sidecar.variant
    said = " ".join(
        (
            header.path.name,
            header.metadata.get("modelspec.title", ""),
            header.metadata.get("modelspec.architecture", ""),
        )
    ).lower()
    return next((variant for word, variant in names.items() if word in said), "")


def said_zero_terminal(header: Header, sidecar: Sidecar) -> bool:
    """True if the noise schedule is to be rescaled so that it ends in pure noise."""
    if sidecar.zero_terminal is not None:
        return sidecar.zero_terminal
    return "ztsnr" in header or header.metadata.get("ss_zero_terminal_snr", "").lower() == "true"


def refuse_unknown_noise(header: Header) -> None:
    """Raises: UnknownFile for models of this layout that were trained on another kind of noise (EDM)."""
    if "edm_vpred.sigma_max" in header or "edm_mean" in header:
        raise UnknownFile(
            f"{header.path.name} was trained on EDM noise (as CosXL and Playground 2.5 were), which is not supported. "
            "Choose another checkpoint."
        )


def schedule_of(sidecar: Sidecar) -> Schedule:
    default = Schedule()
    return Schedule(
        sidecar.beta_start or default.start, sidecar.beta_end or default.end, sidecar.timesteps or default.count
    )


def unet_heads(sidecar: Sidecar, default: Callable[[int], int]) -> Callable[[int], int]:
    """Attention heads by width: as the sidecar says, else `default`."""
    heads, width = sidecar.heads, sidecar.head_width
    if heads:
        return lambda channels: heads
    if width:
        return lambda channels: max(1, channels // width)
    return default


def latent_of(header: Header, sidecar: Sidecar, default: LatentFormat, vae: Component[Any] | None) -> LatentFormat:
    """`default` with what this file knows better: scale, the VAE's reduction, its own preview factors."""
    downscale = 2 ** (len(vae.config["block_out_channels"]) - 1) if vae else default.downscale
    folder = config_of(header.metadata, "vae") or {}
    scale = sidecar.scale or folder.get("scaling_factor") or default.scale
    return replace(default, scale=scale, downscale=downscale).with_metadata(header.metadata)


def variant_of(unet: Component[Any]) -> Variant:
    """What the network's extra input channels hold: mask + masked picture (5), or a picture to edit (4)."""
    extra = int(unet.config["in_channels"]) - int(unet.config["out_channels"])
    known: dict[int, Variant] = {5: "inpaint", 4: "edit", 1: "depth"}
    return known.get(extra, "")
