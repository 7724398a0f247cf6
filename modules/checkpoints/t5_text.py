"""T5 encoders, alone or inside checkpoints: dimensions read off the tensors, llama.cpp's names turned into
transformers'."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.components import Component, Piece, need_shape, numbered
from modules.checkpoints.files import Header
from modules.checkpoints.tokenizers import T5_WORDS, vocabulary_near

if TYPE_CHECKING:
    from torch import nn

    from modules.conditioning.whole import WholeEncoder

HEAD_WIDTH = 64  # of every T5 published
LLAMA_LAYER = {
    "attn_q": "layer.0.SelfAttention.q",
    "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "attn_norm": "layer.0.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0",
    "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo",
    "ffn_norm": "layer.1.layer_norm",
}


def t5_prefix(header: Header, *prefixes: str) -> str | None:
    """Which of `prefixes` a T5 encoder lies under; None if under none."""
    for prefix in prefixes:
        if (
            f"{prefix}encoder.block.0.layer.0.SelfAttention.q.weight" in header
            or f"{prefix}enc.blk.0.attn_q.weight" in header
        ):
            return prefix
    return None


def is_t5(header: Header, width: int = 0) -> bool:
    """Whether the file is a T5 encoder alone, with that many numbers per token (0: whatever there are)."""
    prefix = t5_prefix(header, "")
    if prefix is None:
        return False
    shape = header.shape("encoder.final_layer_norm.weight") or header.shape("enc.output_norm.weight")
    return shape is not None and (not width or shape[0] == width)


def t5_component(header: Header, prefix: str = "") -> Component[nn.Module]:
    """The T5 encoder under `prefix`. Raises: UnknownFile if it is incomplete."""
    names = _names(header, prefix)
    first = "encoder.block.0.layer"
    vocabulary, width = need_shape(header, names.get("shared.weight", f"{prefix}shared.weight"))
    inner = need_shape(header, names[f"{first}.0.SelfAttention.q.weight"])[0]
    bias = f"{first}.0.SelfAttention.relative_attention_bias.weight"
    buckets, heads = need_shape(header, names.get(bias, f"{prefix}{bias}"))
    gated = f"{first}.1.DenseReluDense.wi_0.weight"
    config = {
        "vocab_size": vocabulary,
        "d_model": width,
        "d_kv": inner // heads,
        "d_ff": need_shape(header, names[gated if gated in names else f"{first}.1.DenseReluDense.wi.weight"])[0],
        "num_layers": _layers(names),
        "num_heads": heads,
        "relative_attention_num_buckets": buckets,
        "feed_forward_proj": "gated-gelu" if gated in names else "relu",
    }
    pieces = {name: Piece(key) for name, key in names.items()}
    pieces.setdefault("encoder.embed_tokens.weight", pieces["shared.weight"])
    modules = {name.rpartition(".")[0]: name.rpartition(".")[0] for name in names}
    return Component("text encoder", build_t5, config, pieces, modules)


def _names(header: Header, prefix: str) -> dict[str, str]:
    """transformers' name -> key in the file."""
    if f"{prefix}enc.blk.0.attn_q.weight" not in header:
        names = {key[len(prefix) :]: key for key in header if key.startswith(prefix)}
        names = {name: key for name, key in names.items() if name.startswith(("shared.", "encoder."))}
        if "shared.weight" not in names and "encoder.embed_tokens.weight" in names:
            names["shared.weight"] = names["encoder.embed_tokens.weight"]
        return names
    names = {
        "shared.weight": f"{prefix}token_embd.weight",
        "encoder.final_layer_norm.weight": f"{prefix}enc.output_norm.weight",
    }
    for layer in range(numbered(header, f"{prefix}enc.blk.")):
        for theirs, ours in LLAMA_LAYER.items():
            key = f"{prefix}enc.blk.{layer}.{theirs}.weight"
            if key in header:
                names[f"encoder.block.{layer}.{ours}.weight"] = key
    return names


def _layers(names: Mapping[str, str]) -> int:
    numbers = (int(name.split(".")[2]) for name in names if name.startswith("encoder.block."))
    return max(numbers, default=-1) + 1


def build_t5(config: Mapping[str, Any]) -> nn.Module:
    from transformers import T5Config, T5EncoderModel

    model: nn.Module = T5EncoderModel(T5Config(**config, dropout_rate=0.0))
    return model


@dataclass(frozen=True)
class T5Part:
    """A T5 encoder and how the family listens to it: texts are filled up to `least` tokens and beyond it in steps of
    `step`, at most to `most`; marks_end: the network is not to see the filling."""

    component: Component[nn.Module]
    name: str = "t5"
    least: int = 256
    step: int = 256
    most: int = 512
    marks_end: bool = False
    large: bool = True

    def encoder(self, model: nn.Module, identity: Hashable, near: Path) -> WholeEncoder:
        from modules.conditioning.whole import Manner, WholeEncoder, last_hidden, last_hidden_masked

        vocabulary = vocabulary_near(near, T5_WORDS)
        manner = Manner(
            after=(vocabulary.need("</s>"),),
            fill=vocabulary.need("<pad>"),
            least=self.least,
            step=self.step,
            most=self.most,
            marks_end=self.marks_end,
        )
        listen = last_hidden_masked if self.marks_end else last_hidden
        return WholeEncoder(model, vocabulary, manner, name=self.name, listen=listen, identity=identity)
