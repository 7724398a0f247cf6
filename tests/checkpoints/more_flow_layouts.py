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

from tests.checkpoints.flow_layout import own_tensors, prefixed, save, swapped
from tests.checkpoints.original_layout import vae_tensors

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>", "<bos>", "<eos>", "</s>", "<think>", "</think>")
WORDS = 256 + len(SPECIAL)
CHROMA = {
    "in_channels": 64, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 32, "num_attention_heads": 2,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 14, 14), "approximator_num_channels": 16,
    "approximator_hidden_dim": 24, "approximator_layers": 2,
}  # fmt: skip
Z_IMAGE = {
    "in_channels": 16, "dim": 48, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 3, "n_kv_heads": 3,
    "cap_feat_dim": 32, "axes_dims": [4, 6, 6],
}  # fmt: skip
LUMINA = {
    "in_channels": 16, "hidden_size": 72, "num_layers": 2, "num_refiner_layers": 2, "num_attention_heads": 3,
    "num_kv_heads": 1, "axes_dim_rope": (8, 8, 8), "cap_feat_dim": 32,
}  # fmt: skip
QWEN = {
    "in_channels": 64, "out_channels": 16, "num_layers": 2, "attention_head_dim": 32, "num_attention_heads": 3,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 14, 14),
}  # fmt: skip
FRAMES = {"base_dim": 8, "z_dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
KLEIN = {
    "in_channels": 128, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 32, "num_attention_heads": 2,
    "joint_attention_dim": 96, "mlp_ratio": 3.0, "axes_dims_rope": (8, 8, 8, 8), "guidance_embeds": False,
}  # fmt: skip
KLEIN_VAE = {
    "block_out_channels": (32, 32, 32, 32), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 1, "latent_channels": 32,
}  # fmt: skip


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


def write_with_language(
    folder: Path, transformer: dict[str, Tensor], vae: nn.Module, text: nn.Module, place: str, name: str = "model"
) -> Path:
    """Everything in one file, as ComfyUI writes it, and the vocabulary beside it."""
    write_vocabulary(folder)
    tensors = {**transformer, **vae_tensors(vae, "vae."), **language_tensors(text, f"text_encoders.{place}.model.")}
    return save(folder / f"{name}.safetensors", tensors)


def chroma_tensors(network: nn.Module) -> dict[str, Tensor]:
    state = dict(network.state_dict())
    for block in range(CHROMA["num_layers"]):  # type: ignore[call-overload]
        attention = f"transformer_blocks.{block}.attn."
        fused(state, attention, ("to_q", "to_k", "to_v"), "img.qkv")
        fused(state, attention, ("add_q_proj", "add_k_proj", "add_v_proj"), "txt.qkv")
    for block in range(CHROMA["num_single_layers"]):  # type: ignore[call-overload]
        fused(
            state, f"single_transformer_blocks.{block}.", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), "linear1"
        )
    return respelt(
        state, ("attn.img.qkv", "img_attn.qkv"), ("attn.txt.qkv", "txt_attn.qkv"), ("attn.to_out.0", "img_attn.proj"),
        ("attn.to_add_out", "txt_attn.proj"), ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
        ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"), ("ff_context.net.0.proj", "txt_mlp.0"),
        ("ff_context.net.2", "txt_mlp.2"), ("ff.net.0.proj", "img_mlp.0"), ("ff.net.2", "img_mlp.2"),
        (".proj_out.", ".linear2."), ("single_transformer_blocks", "single_blocks"),
        ("transformer_blocks", "double_blocks"), ("x_embedder", "img_in"), ("context_embedder", "txt_in"),
        ("proj_out.", "final_layer.linear."), ("linear_1.", "in_layer."), ("linear_2.", "out_layer."),
    )  # fmt: skip


def chroma_original(network: nn.Module) -> dict[str, Tensor]:
    named = {}
    for key, value in chroma_tensors(network).items():
        if ".attn.norm_" in key:
            which = "query_norm" if "norm_q" in key else "key_norm"
            home = key.split(".attn.")[0] + (".norm." if key.startswith("single") else ".img_attn.norm.")
            key = f"{home}{which}.scale"
        elif key.startswith("distilled_guidance_layer.norms."):
            key = key.replace(".weight", ".scale")
        named[key] = value
    return named


def write_chroma(path: Path, network: nn.Module, vae: nn.Module, t5: nn.Module, spelling: str = "original") -> Path:
    tensors = chroma_original(network) if spelling == "original" else dict(network.state_dict())
    texts = prefixed("text_encoders.t5xxl.transformer.", own_tensors(t5))
    return save(path, prefixed("model.diffusion_model.", tensors) | vae_tensors(vae, "vae.") | texts)


def wan_tensors(vae: nn.Module) -> dict[str, Tensor]:
    """The autoencoder as Wan 2.1 names it: the decoder's blocks in one row."""
    named = {}
    per_level = FRAMES["num_res_blocks"] + 2  # type: ignore[operator]
    for key, value in vae.state_dict().items():
        parts = key.split(".")
        if parts[1] == "up_blocks":
            place = int(parts[4]) if parts[3] == "resnets" else per_level - 1
            parts = ["decoder", "upsamples", str(int(parts[2]) * per_level + place), *parts[5:]]
        elif parts[1] == "mid_block":
            place = 1 if parts[2] == "attentions" else 2 * int(parts[3])
            parts = [parts[0], "middle", str(place), *parts[4:]]
        key = ".".join(parts)
        if not key.startswith(("quant_conv", "post_quant_conv")):
            for old, new in (
                ("down_blocks", "downsamples"), ("norm_out", "head.0"), ("conv_out", "head.2"), ("conv_in", "conv1"),
            ):  # fmt: skip
                key = key.replace(old, new)
            if "samples" in key or "middle" in key:
                for old, new in (
                    (".norm1.", ".residual.0."), (".conv1.", ".residual.2."), (".norm2.", ".residual.3."),
                    (".conv2.", ".residual.6."), (".conv_shortcut.", ".shortcut."),
                ):  # fmt: skip
                    key = key.replace(old, new)
        named[respelt({key: value}, ("post_quant_conv", "conv2"), ("quant_conv", "conv1")).popitem()[0]] = value
    return named


def klein_tensors(network: nn.Module) -> dict[str, Tensor]:
    state = dict(network.state_dict())
    for block in range(2):
        for stream, names in (("img", ("to_q", "to_k", "to_v")), ("txt", ("add_q_proj", "add_k_proj", "add_v_proj"))):
            fused(state, f"transformer_blocks.{block}.attn.", names, f"{stream}.qkv")
    state["norm_out.linear.weight"] = swapped(state["norm_out.linear.weight"])
    named = respelt(
        state, ("attn.img.qkv", "img_attn.qkv"), ("attn.txt.qkv", "txt_attn.qkv"), ("attn.to_out.0", "img_attn.proj"),
        ("attn.to_add_out", "txt_attn.proj"), ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
        ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"), ("ff_context.linear_in", "txt_mlp.0"),
        ("ff_context.linear_out", "txt_mlp.2"), ("ff.linear_in", "img_mlp.0"), ("ff.linear_out", "img_mlp.2"),
        ("attn.to_qkv_mlp_proj", "linear1"), ("attn.to_out", "linear2"),
        ("single_transformer_blocks", "single_blocks"), ("transformer_blocks", "double_blocks"),
        ("x_embedder", "img_in"), ("context_embedder", "txt_in"), ("proj_out", "final_layer.linear"),
        ("norm_out.linear", "final_layer.adaLN_modulation.1"), ("modulation_img.linear", "modulation_img.lin"),
        ("modulation_txt.linear", "modulation_txt.lin"), ("stream_modulation.linear", "stream_modulation.lin"),
        ("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer"),
        ("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    )  # fmt: skip
    norms = {
        "single": (".attn.norm_q.weight", ".norm.query_norm.scale", ".attn.norm_k.weight", ".norm.key_norm.scale"),
        "double": (
            ".attn.norm_q.weight", ".img_attn.norm.query_norm.scale",
            ".attn.norm_k.weight", ".img_attn.norm.key_norm.scale",
        ),
    }  # fmt: skip
    renamed = {}
    for key, value in named.items():
        q, new_q, k, new_k = norms["single" if key.startswith("single") else "double"]
        renamed[key.replace(q, new_q).replace(k, new_k)] = value
    return renamed


def klein_vae_tensors(vae: nn.Module) -> dict[str, Tensor]:
    """As Black Forest Labs names them: what quantises lies inside the halves."""
    named = vae_tensors(vae, "")
    moved = respelt(named, ("post_quant_conv", "decoder.post_quant"), ("quant_conv", "encoder.quant_conv"))
    moved = respelt(moved, ("decoder.post_quant", "decoder.post_quant_conv"))
    return {key: value for key, value in moved.items() if not key.startswith("bn.")} | {
        f"bn.{name}": value for name, value in vae.get_submodule("bn").state_dict().items()
    }


def write_qwen(folder: Path, qwen: nn.Module, frames: nn.Module, name: str = "qwen.safetensors") -> Path:
    write_vocabulary(folder)
    tensors = prefixed("model.diffusion_model.", qwen.state_dict()) | prefixed("vae.", wan_tensors(frames))
    text = tiny_language("Qwen2", 32)
    return save(folder / name, tensors | language_tensors(text, "text_encoders.qwen25_7b.transformer.model."))


def write_klein(folder: Path, klein: nn.Module, vae: nn.Module, spelling: str = "original") -> Path:
    write_vocabulary(folder)
    tensors = klein_tensors(klein) if spelling == "original" else klein.state_dict()
    text = language_tensors(tiny_language("Qwen3", 32, 28), "text_encoders.qwen3_4b.transformer.model.")
    halves = prefixed("vae.", klein_vae_tensors(vae))
    return save(folder / "klein.safetensors", prefixed("model.diffusion_model.", tensors) | halves | text)
