"""A real CLIP text encoder, small: 3 layers of 16, random weights, the full vocabulary."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from modules.conditioning.clip import ClipEncoder
from modules.conditioning.tokenizer import ClipTokenizer, clip_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> ClipTokenizer:
    return clip_tokenizer()


@pytest.fixture(scope="session")
def config():
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=16,
        intermediate_size=32,
        projection_dim=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=49407,
    )


@pytest.fixture(scope="session")
def model(config):
    from transformers import CLIPTextModel

    torch.manual_seed(1)
    return CLIPTextModel(config).eval()


@pytest.fixture(scope="session")
def projecting_model(config):
    from transformers import CLIPTextModelWithProjection

    torch.manual_seed(2)
    return CLIPTextModelWithProjection(config).eval()


@pytest.fixture
def clip(model, tokenizer) -> ClipEncoder:
    return ClipEncoder(model, tokenizer)


@pytest.fixture
def asked(model) -> Callable[[], int]:
    """How many rows of tokens the model has been given since the test began."""
    rows: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _, __, kwargs: rows.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    yield lambda: sum(rows)
    handle.remove()
