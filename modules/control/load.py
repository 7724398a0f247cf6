"""A file that steers into memory, recognised by its keys and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.files import Header, open_tensors
from modules.checkpoints.load import place
from modules.control.adapter_file import adapter_component, is_adapter
from modules.control.borrowed import borrows, completed
from modules.control.controlnet_file import Heads, controlnet_component, is_controlnet
from modules.control.library import ControlInfo
from modules.control.network import Adapter, ControlNet, SteeringNetwork
from modules.terms.errors import BadRequest, UnknownFile

# Files that have some of a ControlNet's keys, but need more than a ControlNet's code.
KIN = {
    "task_embedding": "it is a union ControlNet, which is not supported yet; choose one made for a single purpose",
    "motion_modules": "it is a SparseCtrl for videos, which is not supported",
}
LOOKS = {
    "ip_adapter.": "it is an IP-Adapter, which is not supported yet",
    "image_proj.": "it is an IP-Adapter, which is not supported yet",
    "lllite_": "it is a ControlNet-LLLite, which is not supported yet",
    "style_embedding": "it is a T2I style adapter, which is not supported",
    "lora_unet_": "it is a LoRA, which belongs in models/Lora",
    "model.diffusion_model.": "it is a checkpoint, which belongs in models/Stable-diffusion",
}
COMMON_HEADS = 8


def load_control(info: ControlInfo, bundle: ModelBundle) -> SteeringNetwork:
    """The network in a file, where `bundle` is and in its number format.

    Raises: NotFound, Refused, UnknownFile; BadRequest if it was made for another kind of checkpoint.
    """
    state = open_tensors(info.path)
    check_kind(state.header)
    if is_adapter(state.header):
        adapter = adapter_component(state.header)
        _check_fit(info, bundle, adapter.config["channels"])
        return Adapter(place(adapter, state, bundle.dtype, bundle.device))
    if borrows(state.header):
        state = completed(state, bundle)
    component = controlnet_component(state.header, heads_of(bundle))
    config = component.config
    attends = "CrossAttnDownBlock2D" in config["down_block_types"]
    _check_fit(
        info,
        bundle,
        config["block_out_channels"],
        context=config["cross_attention_dim"] if attends else None,
        vector=config["projection_class_embeddings_input_dim"],
    )
    return ControlNet(place(component, state, bundle.dtype, bundle.device))


def check_kind(header: Header) -> None:
    """Raises: UnknownFile saying what the file is instead of something that steers."""
    kin = _told(KIN, header)
    if not kin and (is_controlnet(header) or is_adapter(header) or borrows(header)):
        return
    sentence = kin or _told(LOOKS, header) or "its tensors are of another kind"
    raise UnknownFile(f"{header.path.name} is no ControlNet, T2I-Adapter or Control-LoRA that works here: {sentence}.")


def _told(table: Mapping[str, str], header: Header) -> str:
    return next((words for mark, words in table.items() if any(mark in key for key in header)), "")


def heads_of(bundle: ModelBundle) -> Heads:
    """Attention heads by width, as the checkpoint has them: control files do not show their number."""
    config: Mapping[str, Any] = bundle.blueprint.unet.config
    by_width = dict(zip(config["block_out_channels"], config["attention_head_dim"], strict=True))
    return lambda channels: by_width.get(channels, COMMON_HEADS)


def _check_fit(
    info: ControlInfo, bundle: ModelBundle, widths: list[int], context: int | None = None, vector: int | None = None
) -> None:
    unet = bundle.blueprint.unet.config
    differences = []
    levels = list(unet["block_out_channels"])
    # A light adapter names one width less than it has levels; one for SDXL has one for the middle, too.
    if [*levels, levels[-1]][: len(widths)] != list(widths):
        differences.append(f"its levels are {list(widths)} wide, the checkpoint's {levels}")
    if context is not None and context != bundle.context_width:
        differences.append(f"it reads {context} numbers per word, the checkpoint {bundle.context_width}")
    if vector is not None and vector != unet["projection_class_embeddings_input_dim"]:
        differences.append(f"it wants a second conditioning of {vector} numbers")
    if differences:
        raise BadRequest(
            f"{info.name} was made for another kind of checkpoint than {bundle.info.name}: {'; '.join(differences)}. "
            f"Choose a ControlNet model for {bundle.family.name}."
        )
