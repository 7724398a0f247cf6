"""The text encoder's lesson: say from the caption what the scene is."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel

from tools.mini import captions, scenes
from tools.mini.networks import EOS, TEXT_WIDTH, TOKENS, tokenize


class Reader(nn.Module):
    """The text encoder with a head per attribute: reading the caption right is its first lesson."""

    CHOICES: dict[str, tuple[object, ...]] = {
        "kind": scenes.KINDS, "colour": tuple(scenes.COLOURS), "sky": tuple(scenes.SKIES),
        "ground": tuple(scenes.GROUNDS), "count": (1, 2, 3), "position": scenes.POSITIONS, "size": scenes.SIZES,
    }  # fmt: skip

    def __init__(self, text: CLIPTextModel) -> None:
        super().__init__()
        self.text = text
        self.heads = nn.ModuleDict({name: nn.Linear(TEXT_WIDTH, len(c)) for name, c in self.CHOICES.items()})

    def loss(self, tokens: Tensor, answers: dict[str, Tensor], noise: torch.Generator) -> Tensor:
        """Cross entropy at the end of the caption and at a random pad after it; unsaid attributes do not count."""
        end = (tokens == EOS).int().argmax(dim=1)
        tokens = tokens[:, : int(end.max()) + 6]  # attention is causal: what comes later changes nothing
        features = self.text(tokens).last_hidden_state
        pad = end + (torch.rand(len(end), generator=noise).to(end.device) * (tokens.shape[1] - end)).long()
        rows = torch.arange(len(end), device=end.device)
        total: Tensor = features.new_zeros(())
        for name, head in self.heads.items():
            for place in (end, pad):
                total = total + functional.cross_entropy(head(features[rows, place]), answers[name], ignore_index=-100)
        return total / (2 * len(self.heads))


def captioned(drawn: list[scenes.Scene], rng: random.Random, empty: float = 0.1) -> tuple[Tensor, dict[str, Tensor]]:
    """New captions of scenes as tokens, and what they say as class numbers (-100 where they say nothing)."""
    words = [captions.caption(scene, rng) for scene in drawn]
    blank = [rng.random() < empty for _ in drawn]
    tokens = tokenize(["" if gone else caption.text for caption, gone in zip(words, blank, strict=True)])
    answers = {
        name: torch.tensor(
            [
                choices.index(getattr(scene, name)) if name in caption.said and not gone else -100
                for scene, caption, gone in zip(drawn, words, blank, strict=True)
            ]
        )
        for name, choices in Reader.CHOICES.items()
    }
    return _with_strangers(tokens, rng), answers


def _with_strangers(tokens: Tensor, rng: random.Random, chance: float = 0.1) -> Tensor:
    """Now and then a word of the other 49,000 somewhere in the caption, so that unknown words do no harm."""
    for row in tokens:
        end = int((row == EOS).int().argmax())
        if 1 < end < TOKENS - 1 and rng.random() < chance:
            place = rng.randint(1, end)
            row[place + 1 :] = row[place:-1].clone()
            row[place] = rng.randrange(EOS - 1)
    return tokens
