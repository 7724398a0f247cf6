"""A VAE's tensors under the names that they have in a checkpoint, however the VAE's file spells them."""

from __future__ import annotations

from torch import Tensor

from modules.checkpoints.files import StateDict
from modules.checkpoints.kl_vae import vae_component
from modules.terms.errors import BadRequest, UnknownFile

PREFIX = "first_stage_model."


def vae_tensors(checkpoint: StateDict, vae: StateDict) -> dict[str, Tensor]:
    """Key in the checkpoint -> tensor, for every weight of the VAE in the file `vae`.

    A checkpoint without a VAE gets one in the original spelling.
    Raises: UnknownFile if `vae` holds none; BadRequest if it is not of the shape of the checkpoint's, or is spelt so
    that a checkpoint without one cannot take it.
    """
    new = vae_component(vae.header)
    if new is None:
        raise UnknownFile(f"{vae.header.path.name} holds no VAE. Choose another VAE to bake in, or None.")
    old = vae_component(checkpoint.header)
    found: dict[str, Tensor] = {}
    for key, piece in new.pieces.items():
        if old is None:
            found[_original(piece.key, vae)] = vae[piece.key]
            continue
        place = old.pieces.get(key)
        shape = None if place is None else checkpoint.header.tensors[place.key].shape
        tensor = vae[piece.key]
        if place is None or shape is None or tensor.numel() != _elements(shape):
            raise BadRequest(f"The VAE {vae.header.path.name} is not of the shape of the one in model A ({key}).")
        found[place.key] = tensor.reshape(shape)
    return found


def _original(key: str, vae: StateDict) -> str:
    bare = key.removeprefix(PREFIX)
    if any(part in bare for part in ("mid_block", "down_blocks", "up_blocks")):
        raise BadRequest(
            f"Model A has no VAE, and {vae.header.path.name} is spelt as in diffusers. Choose a VAE in the original "
            "spelling."
        )
    return PREFIX + bare


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
