"""Files that hold only what differs from the checkpoint: Control-LoRA and "difference" ControlNets.

Both become whole ControlNets in the original spelling, with the checkpoint's weights filled in.
Source: https://huggingface.co/stabilityai/control-lora; sd-webui-controlnet's "difference" files.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.components import renamed
from modules.checkpoints.files import SAFETENSORS_NAMES, Header, StateDict, TensorInfo, open_tensors
from modules.terms.errors import BadRequest

LORA_MARK = "lora_controlnet"
DIFFERENCE_MARK = "difference"
# The upward half and the way out, which a ControlNet does not have.
UPWARD = ("output_blocks.", "out.")


def borrows(header: Header) -> bool:
    """Whether the file needs a checkpoint's weights to be a ControlNet."""
    return LORA_MARK in header or DIFFERENCE_MARK in header


def completed(state: StateDict, bundle: ModelBundle) -> StateDict:
    """A whole ControlNet in the original spelling. Raises: BadRequest if the file fits no such checkpoint."""
    whole = dict(_of_lora(state, bundle) if LORA_MARK in state else _of_difference(state, bundle))
    tensors = {
        key: TensorInfo(SAFETENSORS_NAMES[str(tensor.dtype).removeprefix("torch.")], tuple(tensor.shape))
        for key, tensor in whole.items()
    }
    return StateDict(Header(state.header.path, tensors, state.header.metadata), None, whole)


def _of_lora(state: StateDict, bundle: ModelBundle) -> Iterator[tuple[str, Tensor]]:
    for key, weight in _downward(bundle):
        up = key.removesuffix("weight") + "up"
        if key in state:
            yield key, state[key]
        elif up in state:
            yield key, _plus(weight, _product(state[up], state[up.removesuffix("up") + "down"]), state)
        else:
            yield key, weight
    for key in state:
        if key.startswith(("input_hint_block.", "zero_convs.", "middle_block_out.")):
            yield key, state[key]


def _of_difference(state: StateDict, bundle: ModelBundle) -> Iterator[tuple[str, Tensor]]:
    prefix = "control_model." if state.header.has_prefix("control_model.") else ""
    base = dict(_downward(bundle))
    for key in state:
        short = key.removeprefix(prefix)
        if key != DIFFERENCE_MARK:
            yield key, _plus(base[short], state[key], state) if short in base else state[key]


def _downward(bundle: ModelBundle) -> Iterator[tuple[str, Tensor]]:
    """The weights of the checkpoint's downward half and middle, under their original names.

    Read from its file: those in memory may have LoRAs in them at the moment.
    """
    state = open_tensors(bundle.info.path)
    originals = {new: old for old, new in bundle.module_names.items()}
    for key, piece in bundle.blueprint.unet.pieces.items():
        original = renamed(key, originals)
        if original is not None and not original.startswith(UPWARD):
            yield original, piece.view(state[piece.key])


def _product(up: Tensor, down: Tensor) -> Tensor:
    return up.flatten(1).float() @ down.flatten(1).float()


def _plus(weight: Tensor, delta: Tensor, state: StateDict) -> Tensor:
    if weight.numel() != delta.numel():
        raise BadRequest(
            f"{state.header.path.name} was made for another kind of checkpoint: its weights do not add up with this "
            "one's. Choose a ControlNet model for this kind of checkpoint."
        )
    return weight.float() + delta.float().view(weight.shape)
