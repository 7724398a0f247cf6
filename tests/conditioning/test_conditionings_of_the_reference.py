"""Conditionings that A1111 1.10 made of 15 prompts with a small checkpoint, recorded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy
import pytest
import torch

from modules.conditioning.clip import ClipEncoder
from modules.conditioning.embeddings import EmbeddingLibrary
from modules.conditioning.encode import PromptEncoder, Reading, Timing

PREFIX = "cond_stage_model.transformer.text_model."


@pytest.fixture(scope="module")
def encoder(parity: Path, tokenizer) -> PromptEncoder:
    from safetensors import safe_open
    from transformers import CLIPTextConfig, CLIPTextModel

    checkpoints = parity / "models" / "Stable-diffusion"
    config = json.loads((checkpoints / "parity-clip-text" / "config.json").read_text())
    model = CLIPTextModel(CLIPTextConfig(**config)).eval()
    with safe_open(checkpoints / "parity-sd1.safetensors", "pt") as file:
        tensors = {key[len(PREFIX) :]: file.get_tensor(key) for key in file.keys() if key.startswith(PREFIX)}  # noqa: SIM118
    inner = getattr(model, "text_model", model)
    missing, unexpected = inner.load_state_dict(tensors, strict=False)
    assert not missing
    assert set(unexpected) <= {"embeddings.position_ids"}
    library = EmbeddingLibrary([parity / "models" / "embeddings"])
    library.refresh()
    assert not library.failed
    clip = ClipEncoder(model, tokenizer)
    return PromptEncoder([clip], library.fitting({clip.name: clip.width}))


def test_conditionings(encoder: PromptEncoder, parity: Path):
    recorded = json.loads((parity / "tensors" / "meta.json").read_text())
    names = [name for name in recorded if name.startswith("cond_")]
    assert len(names) == 15
    for name in names:
        expected = torch.from_numpy(numpy.load(parity / "tensors" / f"{name}.npz")["cond"])
        said = recorded[name]["settings"]
        reading = Reading(said.get("emphasis", "Original"), said.get("CLIP_stop_at_last_layers", 1))
        prompts = recorded[name]["prompts"]
        # Recorded in one call of the encoder, as A1111 does with the variants of one prompt.
        encoded, _ = encoder.encode_together(Counter(prompts), reading)
        found = torch.stack([encoded[prompt].cross for prompt in prompts])
        # The reference norms by a ratio of float32 means near 0, which is good to five digits.
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5), (name, (found - expected).abs().max())


def test_a_prompt_alone_is_what_a_generation_gets(encoder: PromptEncoder, parity: Path):
    expected = torch.from_numpy(numpy.load(parity / "tensors" / "cond_nested_emph.npz")["cond"])[0]
    prompt = "((a red:1.2) circle, [blue] (background:1.1))"
    found = encoder.positive(prompt, Timing(20)).parts[0][0].at(0).cross
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)
