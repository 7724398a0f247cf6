"""`sd_model.model.diffusion_model` of the loaded model, where its network is a UNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.checkpoints.bundle import ModelBundle


def diffusion_model(bundle: ModelBundle) -> Any:
    """The UNet of `bundle` in A1111's shape; a network of another kind as it is."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    if not isinstance(bundle.unet, UNet2DConditionModel):
        return bundle.unet
    from modules.a1111.engine.unet import as_a1111

    return as_a1111(bundle.unet)


def layer_mapping(bundle: ModelBundle) -> dict[str, Any]:
    """Name, with underscores, -> layer; each layer knows its own as `network_layer_name`."""
    found = {}
    for name, layer in diffusion_model(bundle).named_modules():
        layer.network_layer_name = f"diffusion_model_{name.replace('.', '_')}"
        found[layer.network_layer_name] = layer
    return found
