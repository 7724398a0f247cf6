"""A prompt -> what the denoiser is given, over all steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

import torch

from modules.conditioning.cache import AnswerCache
from modules.conditioning.conditioning import Composed, Conditioning, Scheduled, distinct
from modules.conditioning.embeddings import NO_EMBEDDINGS, Embedding, EmbeddingSet
from modules.conditioning.emphasis import Emphasis, emphasised
from modules.conditioning.joining import Heard, Join, side_by_side
from modules.prompt.attention import Segment, parse_attention
from modules.prompt.chunks import Chunk, chunk, chunk_old, empty_chunk
from modules.prompt.composition import split_and
from modules.prompt.timeline import timeline

if TYPE_CHECKING:
    from modules.conditioning.clip import ClipEncoder
    from modules.conditioning.whole import WholeEncoder

TextEncoder: TypeAlias = "ClipEncoder | WholeEncoder"


@dataclass(frozen=True)
class Timing:
    """Over how many evaluations of the network a prompt spreads (timeline.py)."""

    steps: int
    hires_steps: int | None = None
    use_old_scheduling: bool = False


@dataclass(frozen=True)
class Reading:
    """The settings that change what a text means to the network.

    networks: what else shapes the encoder's weights at the moment, such as the LoRAs and their strengths.
    skip_asked: clip skip holds for SDXL's first encoder, too.
    """

    emphasis: Emphasis = "Original"
    clip_skip: int = 1
    comma_backtrack: int = 20
    old_emphasis: bool = False
    networks: Hashable = ()
    skip_asked: bool = False


class PromptEncoder:
    """The text encoders of one model, whose answers are joined; prompts in, conditionings out.

    encoders: in the order that `join` takes their answers in.
    """

    def __init__(
        self,
        encoders: Sequence[TextEncoder],
        embeddings: EmbeddingSet = NO_EMBEDDINGS,
        cache: AnswerCache | None = None,
        join: Join = side_by_side,
    ) -> None:
        self.encoders = tuple(encoders)
        self.embeddings = embeddings
        self.cache = AnswerCache() if cache is None else cache
        self.join = join

    def with_embeddings(self, embeddings: EmbeddingSet) -> PromptEncoder:
        """The same encoders, which know other inversions."""
        return PromptEncoder(self.encoders, embeddings, self.cache, self.join)

    @property
    def clips(self) -> tuple[ClipEncoder, ...]:
        """Those that read in chunks and take textual inversions."""
        from modules.conditioning.clip import ClipEncoder

        return tuple(encoder for encoder in self.encoders if isinstance(encoder, ClipEncoder))

    @property
    def widths(self) -> dict[str, int]:
        """Encoder's name -> numbers per token: what an embedding must fit."""
        return {clip.name: clip.width for clip in self.clips}

    def positive(self, prompt: str, timing: Timing, reading: Reading = Reading()) -> Composed:
        """`prompt` with its AND parts, each over the steps."""
        parts = split_and(prompt)
        scheduled = {text: self.negative(text, timing, reading) for text in dict.fromkeys(part.text for part in parts)}
        return Composed(tuple((scheduled[part.text], part.weight) for part in parts))

    def negative(self, prompt: str, timing: Timing, reading: Reading = Reading()) -> Scheduled:
        """`prompt` over the steps; AND is a word like others."""
        entries = timeline(
            prompt, timing.steps, hires_steps=timing.hires_steps, use_old_scheduling=timing.use_old_scheduling
        )
        counts = Counter(entry.text for entry in entries)
        encoded, used = self.encode_together(counts, reading)
        return Scheduled(tuple((entry.until, encoded[entry.text]) for entry in entries), used)

    def empty(self, reading: Reading = Reading()) -> Conditioning:
        """What no prompt means: one chunk."""
        return self.negative("", Timing(1), reading).at(0)

    def encode_together(
        self, counts: Counter[str], reading: Reading
    ) -> tuple[dict[str, Conditioning], tuple[Embedding, ...]]:
        """The conditioning of each text, all of one length, and the inversions they use.

        `counts`: the texts of one prompt, and how many entries of its timeline say each.
        """
        texts = list(counts)
        chunked = {clip.name: self._chunked(texts, clip, reading) for clip in self.clips}
        length = max((len(chunks) for by_text in chunked.values() for chunks in by_text), default=0)
        heard: dict[str, Heard] = {}
        for encoder in self.encoders:
            by_text = chunked.get(encoder.name)
            if by_text is not None:
                clip = cast("ClipEncoder", encoder)
                heard[encoder.name] = _read(clip, by_text, length, list(counts.values()), reading, self.cache)
            else:
                whole = cast("WholeEncoder", encoder)
                heard[encoder.name] = _read_whole(whole, texts, list(counts.values()), reading, self.cache)
        cross, vector = self.join(heard)  # (texts, T, D), (texts, V)
        used = distinct(
            fix.inversion
            for by_text in chunked.values()
            for chunks in by_text
            for one in chunks
            for fix in one.fixes
            if isinstance(fix.inversion, Embedding)
        )
        return {
            text: Conditioning(cross[place], None if vector is None else vector[place])
            for place, text in enumerate(texts)
        }, used

    def _chunked(self, texts: Sequence[str], clip: ClipEncoder, reading: Reading) -> list[tuple[Chunk, ...]]:
        """The chunks of each text."""
        tokenizer = clip.tokenizer
        names = self.embeddings.names(tokenizer.encode)
        brackets = reading.emphasis != "None"
        if reading.old_emphasis:
            factor = tokenizer.bracket_factor if brackets else _no_bracket
            return [chunk_old(text, tokenizer.encode, factor, tokenizer.special, names=names).chunks for text in texts]
        return [
            chunk(
                parse_attention(text) if brackets else (Segment(text),),
                tokenizer.encode,
                tokenizer.special,
                backtrack=reading.comma_backtrack,
                names=names,
            ).chunks
            for text in texts
        ]


def _no_bracket(token: int) -> None:
    """No token changes the weight of what follows."""


def _read(
    clip: ClipEncoder,
    texts: Sequence[tuple[Chunk, ...]],
    length: int,
    counts: Sequence[int],
    reading: Reading,
    cache: AnswerCache,
) -> Heard:
    """What `clip` says of the texts, filled up with empty chunks to `length`, weights applied.

    Returns: (texts, 77 * length, width), and the pooled vectors (texts, P) of the first chunks.
    """
    empty = empty_chunk(clip.tokenizer.special)
    columns = [[text[place] if place < len(text) else empty for text in texts] for place in range(length)]
    chunks = [one for column in columns for one in column]
    answers = clip.answers(chunks, reading.clip_skip, reading.networks, cache, skip_asked=reading.skip_asked)
    z = torch.stack([answer.z for answer in answers]).unflatten(0, (length, len(texts)))
    weights = torch.tensor([one.weights for one in chunks]).unflatten(0, (length, len(texts)))
    read = [emphasised(*column, reading.emphasis, counts) for column in zip(z, weights, strict=True)]
    pooled = [answer.pooled for answer in answers[: len(texts)] if answer.pooled is not None]
    return Heard(torch.cat(read, dim=1), torch.stack(pooled) if pooled else None)


def _read_whole(
    encoder: WholeEncoder, texts: Sequence[str], counts: Sequence[int], reading: Reading, cache: AnswerCache
) -> Heard:
    """What `encoder` says of the texts, weights applied; shorter ones repeat their last row, as within a batch.

    Returns: (texts, T, C), without pooled vectors.
    """
    reads = [encoder.read(text, brackets=reading.emphasis != "None") for text in texts]
    answers = [answer.z for answer in encoder.answers(reads, reading.networks, cache)]
    length = max(len(z) for z in answers)
    z = torch.stack([torch.cat([z, z[-1:].expand(length - len(z), -1)]) for z in answers])
    weights = torch.tensor([encoder.weights(read, length) for read in reads])
    return Heard(emphasised(z, weights, reading.emphasis, counts), None)
