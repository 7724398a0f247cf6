"""What the denoiser is given of a prompt: tensors, each with the step until which it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from modules.conditioning.embeddings import Embedding


@dataclass(frozen=True, eq=False)
class Conditioning:
    """One text as the network takes it. Float32 on the CPU, no gradients.

    cross: (T, C), T = 77 per chunk. vector: (V,), the pooled text of models that want one, else None.
    """

    cross: Tensor
    vector: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Scheduled:
    """A prompt over the steps: (until, conditioning) in order, all of one length.

    `embeddings` are the textual inversions that the prompt uses.
    """

    entries: tuple[tuple[int, Conditioning], ...]
    embeddings: tuple[Embedding, ...] = ()

    def at(self, call_index: int) -> Conditioning:
        """What holds at evaluation `call_index` of the network, counted from 0 in each pass.

        An entry until 5 holds for the calls 0 to 5, that is six. Past the last entry the first one holds again, as in
        A1111: old pictures of samplers that evaluate more often than announced (DPM adaptive) depend on it.
        """
        for until, conditioning in self.entries:
            if call_index <= until:
                return conditioning
        return self.entries[0][1]


@dataclass(frozen=True, eq=False)
class Composed:
    """The parts of a prompt joined by AND, each with its weight. At least one."""

    parts: tuple[tuple[Scheduled, float], ...]

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        return distinct(embedding for scheduled, _ in self.parts for embedding in scheduled.embeddings)


def distinct(embeddings: Iterable[Embedding]) -> tuple[Embedding, ...]:
    """Each once, in the order in which they came."""
    return tuple({embedding.identity: embedding for embedding in embeddings}.values())
