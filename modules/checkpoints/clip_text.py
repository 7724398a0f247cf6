"""CLIP text encoders inside checkpoints: dimensions read off the tensors, both spellings turned into transformers'.

SD 1.x and SDXL's first encoder come as transformers wrote them (with or without `text_model.`); SD 2.x and SDXL's
second come as open_clip wrote them, with q, k and v packed in one matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece, need_shape, numbered
from modules.checkpoints.files import Header

if TYPE_CHECKING:
    from torch import Tensor, nn

HEAD_WIDTH = 64  # of every CLIP published; a toy encoder narrower than that has one head
END_TOKEN = 49407
OPEN_CLIP_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def text_component(header: Header, prefix: str, overrides: Mapping[str, Any]) -> Component[nn.Module]:
    """The encoder under `prefix` (up to and including "transformer."), as transformers spells it.

    `overrides` are values of a config.json that tensors do not show: heads, activation.
    Raises: UnknownFile if the encoder is incomplete.
    """
    inner = f"{prefix}text_model." if f"{prefix}text_model.final_layer_norm.weight" in header else prefix
    vocabulary, width = need_shape(header, f"{inner}embeddings.token_embedding.weight")
    config = _config(
        vocabulary=vocabulary,
        width=width,
        layers=numbered(header, f"{inner}encoder.layers."),
        hidden=need_shape(header, f"{inner}encoder.layers.0.mlp.fc1.weight")[0],
        positions=need_shape(header, f"{inner}embeddings.position_embedding.weight")[0],
        activation="quick_gelu",
    )
    pieces = {
        key[len(inner) :]: Piece(key) for key in header if key.startswith(inner) and not key.endswith("position_ids")
    }
    if f"{prefix}text_projection.weight" in header:
        pieces["text_projection.weight"] = Piece(f"{prefix}text_projection.weight")
        config["projection_dim"] = need_shape(header, f"{prefix}text_projection.weight")[0]
    modules = {f"text_model.{name.rpartition('.')[0]}": name.rpartition(".")[0] for name in pieces}
    return Component("text encoder", build_text, config | _known(overrides), pieces, modules)


def open_clip_component(header: Header, prefix: str, overrides: Mapping[str, Any]) -> Component[nn.Module]:
    """The encoder under `prefix` (up to and including "model."), as open_clip spells it.

    Raises: UnknownFile if the encoder is incomplete.
    """
    vocabulary, width = need_shape(header, f"{prefix}token_embedding.weight")
    layers = numbered(header, f"{prefix}transformer.resblocks.")
    config = _config(
        vocabulary=vocabulary,
        width=width,
        layers=layers,
        hidden=need_shape(header, f"{prefix}transformer.resblocks.0.mlp.c_fc.weight")[0],
        positions=need_shape(header, f"{prefix}positional_embedding")[0],
        activation="gelu",
    )
    pieces = {
        "embeddings.token_embedding.weight": Piece(f"{prefix}token_embedding.weight"),
        "embeddings.position_embedding.weight": Piece(f"{prefix}positional_embedding"),
        "final_layer_norm.weight": Piece(f"{prefix}ln_final.weight"),
        "final_layer_norm.bias": Piece(f"{prefix}ln_final.bias"),
    }
    modules = {"ln_final": "final_layer_norm", "token_embedding": "embeddings.token_embedding"}
    for layer in range(layers):
        old, new = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
        for theirs, ours in OPEN_CLIP_LAYER.items():
            modules[f"{old}.{theirs}"] = f"{new}.{ours}"
            for end in ("weight", "bias"):
                pieces[f"{new}.{ours}.{end}"] = Piece(f"{prefix}{old}.{theirs}.{end}")
        for place, name in enumerate(("q_proj", "k_proj", "v_proj")):
            for end in ("weight", "bias"):
                packed = Piece(f"{prefix}{old}.attn.in_proj_{end}", partial(third, place=place))
                pieces[f"{new}.self_attn.{name}.{end}"] = packed
    projection = header.shape(f"{prefix}text_projection")
    if projection is not None:
        pieces["text_projection.weight"] = Piece(f"{prefix}text_projection", transposed)
        config["projection_dim"] = projection[1]
    elif f"{prefix}text_projection.weight" in header:
        pieces["text_projection.weight"] = Piece(f"{prefix}text_projection.weight")
        config["projection_dim"] = need_shape(header, f"{prefix}text_projection.weight")[0]
    return Component("text encoder", build_text, config | _known(overrides), pieces, modules)


def third(packed: Tensor, place: int) -> Tensor:
    """Rows of q (0), k (1) or v (2) out of their packed matrix or bias (3C, …)."""
    rows = packed.shape[0] // 3
    return packed[place * rows : (place + 1) * rows]


def transposed(matrix: Tensor) -> Tensor:
    return matrix.t()


def _config(
    *, vocabulary: int, width: int, layers: int, hidden: int, positions: int, activation: str
) -> dict[str, Any]:
    """Arguments of transformers' CLIPTextConfig."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "max_position_embeddings": positions,
        "hidden_act": activation,
        "projection_dim": width,
        "bos_token_id": min(END_TOKEN - 1, vocabulary - 2),
        "eos_token_id": min(END_TOKEN, vocabulary - 1),
        "pad_token_id": min(END_TOKEN, vocabulary - 1),
    }


def _known(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What a config.json may decide: only what the tensors do not show."""
    return {key: overrides[key] for key in ("num_attention_heads", "hidden_act", "layer_norm_eps") if key in overrides}


def build_text(config: Mapping[str, Any]) -> nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    settings = dict(config)
    projected = settings.pop("with_projection", False)
    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    model: nn.Module = kind(CLIPTextConfig(**settings))
    return model
