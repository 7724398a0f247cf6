"""Tiny random Chroma, Z-Image, Lumina 2, Qwen-Image and FLUX.2 models, written the way their makers write them, with
language models as text encoders and a vocabulary of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import Tensor, nn

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>", "<bos>", "<eos>", "</s>", "<think>", "</think>")
WORDS = 256 + len(SPECIAL)


def write_vocabulary(folder: Path) -> None:
    """A tokenizer.json that spells texts byte by byte, in `folder`/tokenizer."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    (folder / "tokenizer").mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer" / "tokenizer.json"))


def random_network(make: Any, seed: int = 5, **config: Any) -> Any:
    """`make(**config)` with weights far enough from zero that each of them matters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = make(**config).eval().requires_grad_(False)
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.15 / weight[0].numel() ** 0.25)
            elif name.endswith("bias"):
                weight.normal_(std=0.05)
    return network


@lru_cache(maxsize=4)
def tiny_language(kind: str, width: int, layers: int = 3) -> nn.Module:
    """A language model of transformers: "Qwen3", "Qwen2" or "Gemma2"."""
    import transformers

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=WORDS, hidden_size=width, intermediate_size=40, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=1, head_dim={"Gemma2": 256, "Qwen2": 128}.get(kind, 16), max_position_embeddings=2048,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, rms_norm_eps=1e-6,
        **({} if kind == "Gemma2" else {"rope_theta": 1_000_000.0}),
    )  # fmt: skip
    return random_network(lambda: getattr(transformers, f"{kind}Model")(config))  # type: ignore[no-any-return]


def language_tensors(model: nn.Module, prefix: str = "model.") -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in model.state_dict().items()}


LLAMA = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def llama_tensors(model: nn.Module, four_norms: bool) -> dict[str, Tensor]:
    """As llama.cpp's converter names them; for Gemma (`four_norms`) it adds one to every norm."""
    norms = {"post_attention_layernorm": "ffn_norm"}
    if four_norms:
        norms = {
            "post_attention_layernorm": "post_attention_norm",
            "pre_feedforward_layernorm": "ffn_norm",
            "post_feedforward_layernorm": "post_ffw_norm",
        }
    named = {}
    for key, value in model.state_dict().items():
        if four_norms and "norm" in key:
            value = value + 1
        if key.startswith("layers."):
            _, number, rest = key.split(".", 2)
            stem, end = rest.rsplit(".", 1)
            named[f"blk.{number}.{ {**LLAMA, **norms}[stem] }.{end}"] = value
        else:
            named[{"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[key]] = value
    return named


def fused(state: dict[str, Tensor], prefix: str, names: tuple[str, ...], new: str) -> None:
    for end in ("weight", "bias"):
        if f"{prefix}{names[0]}.{end}" in state:
            state[f"{prefix}{new}.{end}"] = torch.cat([state.pop(f"{prefix}{name}.{end}") for name in names])


def respelt(state: Mapping[str, Tensor], *changes: tuple[str, str]) -> dict[str, Tensor]:
    named = {}
    for key, value in state.items():
        for old, new in changes:
            key = key.replace(old, new)
        named[key] = value
    return named


def z_image_tensors(network: nn.Module) -> dict[str, Tensor]:
    state = dict(network.state_dict())
    for block in {key.split(".attention.")[0] for key in state if ".attention.to_q." in key}:
        fused(state, f"{block}.attention.", ("to_q", "to_k", "to_v"), "qkv")
    return respelt(
        state, ("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer"),
        (".to_out.0.", ".out."), (".norm_q.", ".q_norm."), (".norm_k.", ".k_norm."),
    )  # fmt: skip


def lumina_tensors(network: nn.Module) -> dict[str, Tensor]:
    state = dict(network.state_dict())
    for block in {key.split(".attn.")[0] for key in state if ".attn.to_q." in key}:
        fused(state, f"{block}.attn.", ("to_q", "to_k", "to_v"), "qkv")
    return respelt(
        state, (".attn.", ".attention."), (".to_out.0.", ".out."), (".norm_q.", ".q_norm."), (".norm_k.", ".k_norm."),
        ("feed_forward.linear_", "feed_forward.w"), (".norm1.linear.", ".adaLN_modulation.1."),
        (".norm1.norm.", ".attention_norm1."), (".norm1.", ".attention_norm1."), (".norm2.", ".attention_norm2."),
        (".ffn_norm1.", ".ffn_norm1."), ("norm_out.linear_1", "final_layer.adaLN_modulation.1"),
        ("norm_out.linear_2", "final_layer.linear"), ("time_caption_embed.caption_embedder", "cap_embedder"),
        ("time_caption_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
        ("time_caption_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    )  # fmt: skip
