"""`sd_model.cond_stage_model`: the text encoders of the loaded model, asked as A1111's are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from modules.a1111.bound import bound
from modules.a1111.missing import not_offered
from modules.prompt.attention import parse_attention
from modules.prompt.chunks import Chunk, chunk

if TYPE_CHECKING:
    from torch import Tensor

    from modules.checkpoints.bundle import ModelBundle
    from modules.conditioning.clip import ClipEncoder

CHUNK = 75


@dataclass
class PromptChunk:
    """77 tokens with start and end, their weights, and where the vectors of inversions stand."""

    tokens: list[int] = field(default_factory=list)
    multipliers: list[float] = field(default_factory=list)
    fixes: list[Any] = field(default_factory=list)


class FrozenCLIPEmbedder(nn.Module):
    """CLIP-L, as SD 1.x has it: `tokenizer` and `transformer`."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class FrozenOpenCLIPEmbedder(FrozenCLIPEmbedder):
    """OpenCLIP-H, as SD 2.x has it."""


class TextEncoder:
    """One CLIP of the model. `wrapped.tokenizer` and `wrapped.transformer` are its parts."""

    chunk_length = CHUNK
    is_trainable = False
    legacy_ucg_val = None

    def __init__(self, bundle: ModelBundle, clip: ClipEncoder) -> None:
        self._bundle, self._clip = bundle, clip
        special = clip.tokenizer.special
        self.id_start, self.id_end, self.id_pad = special.start, special.end, special.pad
        self.comma_token = special.comma
        self.tokenizer = clip.tokenizer
        self.transformer = clip.model
        kind = FrozenOpenCLIPEmbedder if bundle.family.name == "sd2" else FrozenCLIPEmbedder
        self.wrapped = kind(
            tokenizer=Tokenizer(clip.tokenizer), transformer=clip.model, model=clip.model, max_length=CHUNK + 2
        )

    @property
    def hijack(self) -> Any:
        from modules.sd_hijack import model_hijack

        return model_hijack

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without start and end."""
        return [self._clip.tokenizer.encode(text) for text in texts]

    def tokenize_line(self, line: str) -> tuple[list[PromptChunk], int]:
        """The chunks of a prompt, and how many tokens it has."""
        tokenizer = self._clip.tokenizer
        chunks = chunk(
            parse_attention(line),
            tokenizer.encode,
            tokenizer.special,
            backtrack=int(bound().settings["comma_padding_backtrack"]),
            names=None,
        )
        found = [PromptChunk(list(one.tokens), list(one.weights), list(one.fixes)) for one in chunks.chunks]
        return found, chunks.count

    def process_texts(self, texts: Sequence[str]) -> tuple[list[list[PromptChunk]], int]:
        """The chunks of every text, and how many tokens the longest one has."""
        lines = [self.tokenize_line(text) for text in texts]
        return [chunks for chunks, _ in lines], max((count for _, count in lines), default=0)

    def get_target_prompt_token_count(self, token_count: int) -> int:
        return max(1, -(-token_count // CHUNK)) * CHUNK

    def empty_chunk(self) -> PromptChunk:
        return self.tokenize_line("")[0][0]

    def encode_with_transformers(self, tokens: Tensor) -> Tensor:
        """What the last layer says of rows of 77 tokens: (B, 77, D)."""
        result: Tensor = self._clip.model(input_ids=tokens).last_hidden_state
        return result

    def process_tokens(self, remade_batch_tokens: Sequence[Any], batch_multipliers: Sequence[Any]) -> Tensor:
        """What is said of rows of 77 tokens with as many weights: (B, 77, D). `hijack.fixes` tells, per row, where the
        vectors of inversions stand. Who puts another in its place is asked for every chunk of a prompt."""
        import torch

        from modules.conditioning.cache import AnswerCache
        from modules.conditioning.emphasis import emphasised
        from modules.generation.switches import reading

        read = reading(bound().settings, ())
        fixes = self.hijack.fixes or [()] * len(remade_batch_tokens)
        rows = [
            Chunk(tuple(tokens), tuple(weights), tuple(own))
            for tokens, weights, own in zip(remade_batch_tokens, batch_multipliers, fixes, strict=True)
        ]
        answers = self._clip.answers(rows, read.clip_skip, (), AnswerCache(), skip_asked=read.skip_asked)
        z = torch.stack([answer.z for answer in answers])
        return emphasised(z, torch.tensor([row.weights for row in rows]), read.emphasis).to(self._clip.model.device)

    def encode_embedding_init_text(self, init_text: str, nvpt: int) -> Tensor:
        """The first `nvpt` word vectors of a text."""
        import torch

        tokens = torch.tensor(self.tokenize([init_text])[0][:nvpt], device=self._clip.model.device)
        vectors: Tensor = self._clip.model.get_input_embeddings()(tokens)
        return vectors

    def __call__(self, texts: Sequence[str]) -> Any:
        """What the network is given of these texts: (B, T, D)."""
        return encoded(self._bundle, texts)["crossattn"]

    forward = encode = __call__


class TextEncoders(TextEncoder, nn.Module):
    """All encoders of the model, answering as the first one where they are asked for one.

    What an extension hooks on it or puts in place of `forward` takes part in the drawing: see `hooked`.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        nn.Module.__init__(self)
        clips: list[Any] = [clip for clip in bundle.clips if hasattr(getattr(clip, "tokenizer", None), "special")]
        if not clips:
            raise not_offered("shared.sd_model", "cond_stage_model")
        super().__init__(bundle, clips[0])
        self.embedders = [TextEncoder(bundle, clip) for clip in clips]

    def __call__(self, texts: Sequence[str]) -> Any:
        """(B, T, D); for models with a second conditioning a dictionary of "crossattn" and "vector"."""
        answer: Any = nn.Module.__call__(self, texts)
        return answer

    encode = __call__

    def forward(self, texts: Any) -> Any:
        """The same, before anybody's hooks. texts: also as SDXL's, {"txt": texts}."""
        if self._by_tokens and not isinstance(texts, dict):
            return self._encoded_by_tokens(texts)
        found = encoded(self._bundle, texts["txt"] if isinstance(texts, dict) else texts)
        return found if found.get("vector") is not None else found["crossattn"]

    @property
    def hooked(self) -> bool:
        """Whether somebody wants a say in what prompts become."""
        return bool(self._forward_hooks or self._forward_pre_hooks or "forward" in vars(self) or self._by_tokens)

    @property
    def _by_tokens(self) -> bool:
        """Whether somebody has put another `process_tokens` in place; of models with one encoder alone, as in A1111."""
        return len(self.embedders) == 1 and "process_tokens" in vars(self)

    def _encoded_by_tokens(self, texts: Sequence[str]) -> Tensor:
        """(B, T, D), asked of `process_tokens` chunk by chunk."""
        import torch

        lines, _ = self.process_texts(texts)
        parts = []
        for place in range(max(len(line) for line in lines)):
            row = [line[place] if place < len(line) else self.empty_chunk() for line in lines]
            self.hijack.fixes = [one.fixes for one in row]
            parts.append(self.process_tokens([one.tokens for one in row], [one.multipliers for one in row]))
        self.hijack.fixes = None
        return torch.cat(parts, dim=1)


class GeneralConditioner(TextEncoders):
    """Both encoders of SDXL, under the name of its original code."""


class Tokenizer:
    """The tokenizer as Hugging Face's answers: `tokenizer(text)["input_ids"]`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        special = tokenizer.special
        self.bos_token_id, self.eos_token_id, self.pad_token_id = special.start, special.end, special.pad

    def __call__(
        self, text: Any, truncation: bool = False, add_special_tokens: bool = True, **_: Any
    ) -> dict[str, Any]:
        several = [text] if isinstance(text, str) else list(text)
        rows = [self._tokenizer.encode(one) for one in several]
        if add_special_tokens:
            rows = [[self.bos_token_id, *row, self.eos_token_id] for row in rows]
        return {"input_ids": rows[0] if isinstance(text, str) else rows}

    def encode(self, text: str) -> list[int]:
        return [self.bos_token_id, *self._tokenizer.encode(text), self.eos_token_id]

    def decode(self, tokens: Any) -> str:
        return str(self._tokenizer.decode([int(token) for token in tokens]))

    def convert_ids_to_tokens(self, tokens: Any) -> Any:
        """The text of each token as the vocabulary has it: "</w>" ends a word."""
        vocabulary = self._tokenizer._texts
        return vocabulary[tokens] if isinstance(tokens, int) else [vocabulary[int(token)] for token in tokens]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The number of each such text; that of the end for one that is none."""
        if isinstance(tokens, str):
            return self._convert_token_to_id(tokens)
        return [self._convert_token_to_id(token) for token in tokens]

    def _convert_token_to_id(self, token: str) -> int:
        vocabulary = self._tokenizer._texts
        return int(vocabulary.index(token)) if token in vocabulary else int(self.eos_token_id)

    def get_vocab(self) -> dict[str, int]:
        """Every token and its number."""
        return {self._tokenizer.decode([number]): number for number in range(self.eos_token_id + 1)}


def encoded(bundle: ModelBundle, texts: Sequence[str]) -> dict[str, Any]:
    """What the network is given of each text: "crossattn" (B, T, D) and "vector" (B, V) or None."""
    import torch

    from modules.conditioning.encode import PromptEncoder
    from modules.diffusion.guidance import lengthened
    from modules.generation.switches import reading

    settings = bound().settings
    tools = bound().studio.engine.tools(settings)
    encoder: PromptEncoder = tools.encoder(bundle)
    read = reading(settings, ())
    from collections import Counter

    answers = [encoder.encode_together(Counter([text]), read)[0][text] for text in texts]
    longest = max(len(one.cross) for one in answers)
    vectors = [one.vector for one in answers if one.vector is not None]
    return {
        "crossattn": torch.stack([lengthened(one.cross, longest) for one in answers]).to(bundle.device),
        "vector": torch.stack(vectors).to(bundle.device) if vectors else None,
    }
