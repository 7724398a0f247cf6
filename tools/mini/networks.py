"""The text encoder and the UNet: SD 1.x in small."""

from __future__ import annotations

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from modules.conditioning.tokenizer import clip_tokenizer

TOKENS, BOS, EOS = 77, 49406, 49407
TEXT_WIDTH, TEXT_LAYERS = 128, 4
UNET_CHANNELS = (64, 128, 128, 128)


def tokenize(captions: list[str]) -> Tensor:
    """(len(captions), 77) int64: start, words, end, and ends up to 77, as SD 1.x pads."""
    rows = [clip_tokenizer().encode(caption)[: TOKENS - 2] for caption in captions]
    return torch.tensor([[BOS, *row, *[EOS] * (TOKENS - 1 - len(row))] for row in rows])


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
