"""Text encoders that read a whole text at once, as T5, Gemma and Qwen do; CLIP (clip.py) reads it 77 tokens a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modules.conditioning.cache import Answer, AnswerCache
from modules.prompt.attention import Segment, parse_attention

if TYPE_CHECKING:
    from modules.conditioning.vocabulary import Vocabulary

Listen = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""`listen(model, tokens (B, T), mask (B, T) of ones and zeros)` -> what is taken of the model, (B, T, C)."""


def last_hidden(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """The model's last hidden state, filling included and not told from text: T5 in SD 3 and FLUX."""
    hidden: Tensor = model(input_ids=tokens).last_hidden_state
    return hidden


def last_hidden_masked(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
    """The model's last hidden state, computed as if there were no filling."""
    hidden: Tensor = model(input_ids=tokens, attention_mask=mask).last_hidden_state
    return hidden


def hidden_before(count: int) -> Listen:
    """A `Listen` that takes the hidden state `count` layers before the last one, computed as if without filling."""

    def listen(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states[
            -1 - count
        ]
        return hidden

    return listen


@dataclass(frozen=True)
class Manner:
    """How a family has a text read.

    before, after: tokens around the text (a chat template, the end token). dropped: how many of the answers at the
    beginning are left out (those of the template). least: filled up to so many tokens with `fill`; beyond it in steps
    of `step`. most: longer texts are cut. marks_end: the answers of the filling are zeros, and there is at least one
    such row at the end: networks that must not read the filling are told so by it.
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    fill: int = 0
    dropped: int = 0
    least: int = 0
    step: int = 1
    most: int = 512
    marks_end: bool = False


@dataclass(frozen=True)
class Read:
    """One text as tokens, each with its weight; `filled` of them at the end stand for nothing."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    filled: int


class WholeEncoder:
    """A text encoder, its vocabulary, and how a family listens to it.

    name: "t5", "gemma", "qwen" …; networks (LoRA) know it by this. identity: the same only for the same weights.
    """

    def __init__(
        self,
        model: nn.Module,
        vocabulary: Vocabulary,
        manner: Manner,
        *,
        name: str,
        listen: Listen = last_hidden,
        identity: Hashable = None,
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.manner = manner
        self.name = name
        self.listen = listen
        self.identity: Hashable = object() if identity is None else identity

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def read(self, text: str, *, brackets: bool = True) -> Read:
        """`text` as tokens. brackets: `(word:1.3)` weighs; BREAK means nothing here."""
        segments = parse_attention(text) if brackets else (Segment(text),)
        tokens: list[int] = []
        weights: list[float] = []
        for segment in segments:
            if not segment.is_break:
                some = self.vocabulary.encode(segment.text)
                tokens += some
                weights += [segment.weight] * len(some)
        manner = self.manner
        room = max(0, manner.most - len(manner.before) - len(manner.after))
        tokens, weights = tokens[:room], weights[:room]
        whole = [*manner.before, *tokens, *manner.after]
        weighed = [*[1.0] * len(manner.before), *weights, *[1.0] * len(manner.after)]
        length = max(manner.least, -(-len(whole) // manner.step) * manner.step)
        filled = length - len(whole)
        return Read((*whole, *[manner.fill] * filled), (*weighed, *[1.0] * filled), filled)

    def answers(self, reads: Sequence[Read], networks: Hashable, cache: AnswerCache) -> tuple[Answer, ...]:
        """What the encoder says of each text, (T, C), before weights; each distinct one is asked for once."""
        questions = [(self.identity, networks, read.tokens, read.filled) for read in reads]
        found: dict[Hashable, Answer] = {}
        for question, read in zip(questions, reads, strict=True):
            answer = found.get(question) or cache.get(question)
            if answer is None:
                answer = Answer(self._asked(read), None)
                cache.put(question, answer)
            found[question] = answer
        return tuple(found[question] for question in questions)

    @torch.no_grad()
    def _asked(self, read: Read) -> Tensor:
        tokens = torch.tensor([read.tokens], device=self.device)
        mask = torch.ones_like(tokens)
        if read.filled:
            mask[:, -read.filled :] = 0
        z = self.listen(self.model, tokens, mask)[0, self.manner.dropped :].float().cpu()
        if self.manner.marks_end:
            z = z[: len(z) - read.filled] if read.filled else z
            filling = z.new_zeros(max(1, read.filled), z.shape[-1])
            z = torch.cat([z, filling])
        return z.clone()

    def weights(self, read: Read, length: int) -> list[float]:
        """The weights of the `length` answers that `read` has."""
        kept = list(read.weights[self.manner.dropped :])
        return kept[:length] + [1.0] * (length - len(kept))
