"""`diffusion_model.input_blocks` and its like: diffusers' UNet laid out as the original one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modules.checkpoints.bundle import ModelBundle


def diffusion_model(bundle: ModelBundle) -> Any:
    """The UNet of `bundle`; `input_blocks`, `middle_block` and `output_blocks` hold its layers in the original order.

    They are views: hooks on a layer act on the picture. A block itself is never called, so hooks on it say nothing.
    """
    unet = bundle.unet
    if "input_blocks" not in vars(unet):
        blocks: dict[str, dict[int, dict[int, Any]]] = {}
        modules = dict(unet.named_modules())
        for original, own in bundle.module_names.items():
            section, _, rest = original.partition(".")
            numbers = rest.split(".")
            if section in ("input_blocks", "output_blocks") and len(numbers) >= 2 and numbers[1].isdigit():
                place = blocks.setdefault(section, {}).setdefault(int(numbers[0]), {})
                tail = len(numbers) - 2
            elif section == "middle_block":
                place = blocks.setdefault(section, {}).setdefault(0, {})
                tail = len(numbers) - 1
                numbers = ["0", *numbers]
            else:
                continue
            layer = own.rsplit(".", tail)[0] if tail else own
            if layer in modules:
                place.setdefault(int(numbers[1]), modules[layer])
        unet.__dict__["input_blocks"] = _listed(blocks.get("input_blocks", {}))
        unet.__dict__["output_blocks"] = _listed(blocks.get("output_blocks", {}))
        unet.__dict__["middle_block"] = next(iter(_listed(blocks.get("middle_block", {}))), [])
    return unet


def _listed(blocks: dict[int, dict[int, Any]]) -> list[list[Any]]:
    return [[layer for _, layer in sorted(layers.items())] for _, layers in sorted(blocks.items())]
