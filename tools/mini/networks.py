"""The text encoder, the UNet and the tokenizer: SD 1.x in small."""

from __future__ import annotations

import gzip
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

TOKENS, BOS, EOS = 77, 49406, 49407
TEXT_WIDTH, TEXT_LAYERS = 128, 4
UNET_CHANNELS = (64, 128, 128, 128)


@lru_cache(maxsize=1)
def clip_tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer with its full vocabulary, made from the merges that the open_clip package carries."""
    spec = importlib.util.find_spec("open_clip")  # found, not imported: the import would cost seconds
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("The package open_clip_torch is missing: pip install open_clip_torch")
    with gzip.open(Path(spec.origin).parent / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : 49152 - 256 - 2 + 1]
    merges = [cast(tuple[str, str], tuple(line.split())) for line in lines]
    letters = _byte_letters()
    words = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges)  # type: ignore[arg-type]  # declared for files only


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte, in the order of CLIP's vocabulary."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + number) for number in range(len(others))]


def tokenize(captions: list[str]) -> Tensor:
    """(len(captions), 77) int64: start, words, end, and ends up to 77, as SD 1.x pads."""
    rows = clip_tokenizer()(captions, padding="max_length", max_length=TOKENS, truncation=True)["input_ids"]
    return torch.tensor(rows)


def build_text_encoder() -> CLIPTextModel:
    """Untrained. Word vectors start larger than positions, so that words separate early."""
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=EOS + 1, hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH, projection_dim=TEXT_WIDTH,
            num_hidden_layers=TEXT_LAYERS, num_attention_heads=TEXT_WIDTH // 64, max_position_embeddings=TOKENS,
            hidden_act="quick_gelu", bos_token_id=BOS, eos_token_id=EOS, pad_token_id=EOS,
        )
    )  # fmt: skip
    for name, parameter in text.named_parameters():
        if name.endswith("token_embedding.weight"):
            nn.init.normal_(parameter, std=0.08)
        elif name.endswith("position_embedding.weight"):
            nn.init.normal_(parameter, std=0.02)
        elif parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)
    return text


def build_unet() -> UNet2DConditionModel:
    """Untrained, with SD 1.x's topology: four scales, cross-attention at all but the last, 8 heads everywhere."""
    levels = len(UNET_CHANNELS)
    unet: UNet2DConditionModel = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=UNET_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,  # in SD 1.x this is the number of heads
    )
    return unet
