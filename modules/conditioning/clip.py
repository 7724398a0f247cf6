"""CLIP's text encoders: rows of 77 tokens -> a vector for each."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from modules.conditioning.cache import Answer, AnswerCache
from modules.conditioning.embeddings import Embedding
from modules.prompt.chunks import Chunk, Fix

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    from modules.conditioning.tokenizer import ClipTokenizer

Pooled = Literal["no", "hidden", "projected"]


class ClipEncoder:
    """One text encoder, and which of its layers a family of models listens to.

    name: "clip_l", "clip_g"; textual inversions are made for a name. layer: counted from the last, 1 is the last;
    clip skip takes its place if `skippable` ("if asked": where a setting wants it so). final_norm: whether the last
    layer norm is applied to it (SD 1, SD 2: yes, SDXL: no). pooled: the end token's vector after all layers, as it is
    ("hidden") or "projected".
    identity: the same only for the same weights; default: this object.
    """

    def __init__(
        self,
        model: CLIPTextModel | CLIPTextModelWithProjection,
        tokenizer: ClipTokenizer,
        *,
        name: str = "clip_l",
        layer: int = 1,
        skippable: bool | Literal["if asked"] = True,
        final_norm: bool = True,
        pooled: Pooled = "no",
        identity: Hashable = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.layer = layer
        self.skippable = skippable
        self.final_norm = final_norm
        self.pooled = pooled
        self.identity: Hashable = object() if identity is None else identity

    @property
    def width(self) -> int:
        return int(self.model.config.hidden_size)

    def answers(
        self,
        chunks: Sequence[Chunk],
        clip_skip: int,
        networks: Hashable,
        cache: AnswerCache,
        *,
        skip_asked: bool = False,
    ) -> tuple[Answer, ...]:
        """What the encoder says of each chunk, each distinct one asked for once and only if the cache has it not.

        `networks`: what else shapes the weights of the encoder at the moment (LoRA names and strengths). skip_asked:
        clip skip holds for encoders that are skippable if asked.
        """
        skips = skip_asked if self.skippable == "if asked" else self.skippable
        layer = min(max(clip_skip, 1) if skips else self.layer, int(self.model.config.num_hidden_layers) + 1)
        questions: list[Hashable] = [(self.identity, networks, layer, _key(chunk)) for chunk in chunks]
        found: dict[Hashable, Answer] = {}
        missing: dict[Hashable, Chunk] = {}
        for question, chunk in zip(questions, chunks, strict=True):
            answer = cache.get(question)
            if answer is None:
                missing[question] = chunk
            else:
                found[question] = answer
        # One by one a CPU gives the same bits whatever else is asked, and is no slower; an accelerator is.
        at_once = 1 if self.model.device.type == "cpu" else 16
        asked = list(missing.items())
        for start in range(0, len(asked), at_once):
            some = asked[start : start + at_once]
            for (question, _), answer in zip(some, self._ask([c for _, c in some], layer), strict=True):
                cache.put(question, answer)
                found[question] = answer
        return tuple(found[question] for question in questions)

    @torch.no_grad()
    def _ask(self, chunks: Sequence[Chunk], layer: int) -> list[Answer]:
        tokens = torch.tensor([chunk.tokens for chunk in chunks], device=self.model.device)
        with self._vectors_in_place([chunk.fixes for chunk in chunks]):
            output = self.model(input_ids=tokens, output_hidden_states=True)
        if layer == 1 and self.final_norm:
            z = output.last_hidden_state
        else:
            z = output.hidden_states[-layer]
            if self.final_norm:
                z = self._final_norm(z)
        z = z.float().cpu()
        pooled = self._pooled(output)
        return [Answer(one.clone(), None if pooled is None else pooled[place].clone()) for place, one in enumerate(z)]

    def _pooled(self, output: object) -> Tensor | None:
        if self.pooled == "no":
            return None
        vector: Tensor = getattr(output, "pooler_output" if self.pooled == "hidden" else "text_embeds")
        return vector.float().cpu()

    def _final_norm(self, z: Tensor) -> Tensor:
        # transformers 4 wraps the text model once more than transformers 5 does.
        inner: nn.Module = getattr(self.model, "text_model", self.model)
        norm: nn.Module = inner.get_submodule("final_layer_norm")
        result: Tensor = norm(z)
        return result

    @contextlib.contextmanager
    def _vectors_in_place(self, fixes: Sequence[Sequence[Fix]]) -> Iterator[None]:
        """Within: the vectors of inversions stand where the fixes say, behind the start token."""
        if not any(fixes):
            yield
            return

        def put(_: nn.Module, __: object, looked_up: Tensor) -> Tensor:
            looked_up = looked_up.clone()
            for row, row_fixes in zip(looked_up, fixes, strict=True):
                for fix in row_fixes:
                    vectors = self._vectors(fix)[: row.shape[0] - 1 - fix.offset]
                    row[fix.offset + 1 : fix.offset + 1 + vectors.shape[0]] = vectors.to(row)
            return looked_up

        handle = self.model.get_input_embeddings().register_forward_hook(put)
        try:
            yield
        finally:
            handle.remove()

    def _vectors(self, fix: Fix) -> Tensor:
        if not isinstance(fix.inversion, Embedding):
            raise TypeError(f"{fix.inversion.name!r} is only a name, it brings no vectors")
        return fix.inversion.tensor(self.name)


def _key(chunk: Chunk) -> Hashable:
    """What of a chunk the encoder sees: its weights are applied later."""
    fixes = tuple(
        (fix.offset, fix.inversion.identity if isinstance(fix.inversion, Embedding) else fix.inversion.name)
        for fix in chunk.fixes
    )
    return chunk.tokens, fixes
