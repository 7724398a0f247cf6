"""Language models as text encoders (Gemma 2, Qwen 2.5, Qwen 3), alone or inside checkpoints: dimensions read off the
tensors, llama.cpp's names turned into transformers'."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.blueprint import Wanted
from modules.checkpoints.components import Component, Piece, need_shape, numbered
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of
from modules.checkpoints.tokenizers import Words, vocabulary_near

if TYPE_CHECKING:
    from torch import Tensor, nn

    from modules.conditioning.vocabulary import Vocabulary
    from modules.conditioning.whole import Listen, WholeEncoder

# What stands before "layers.0" in files of transformers, from models of pictures and text to those of text alone.
INNER = ("model.language_model.", "language_model.model.", "language_model.", "model.", "")
LLAMA_OUTER = {"token_embd": "embed_tokens", "output_norm": "norm"}
LLAMA_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# Where a layer has four norms, as in Gemma 2, "ffn_norm" is another one than where it has two.
TWO_NORMS = {"ffn_norm": "post_attention_layernorm"}
FOUR_NORMS = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
SAID = ("rope_theta", "rope_parameters", "rms_norm_eps", "query_pre_attn_scalar", "head_dim")


@dataclass(frozen=True)
class Language:
    """A kind of language model. model, config: classes of transformers. head: numbers per attention head, where the
    tensors do not show it. settings: of the config. shifted_norms: llama.cpp keeps the norms' weights one higher."""

    name: str
    model: str
    config: str
    head: int
    settings: Mapping[str, Any]
    four_norms: bool = False
    head_norms: bool = False
    shifted_norms: bool = False


GEMMA2 = Language("Gemma 2", "Gemma2Model", "Gemma2Config", 256, {}, four_norms=True, shifted_norms=True)
# The part of Qwen 2.5 VL that reads text: without pictures its positions are those of Qwen 2.
QWEN2 = Language("Qwen 2.5 VL", "Qwen2Model", "Qwen2Config", 128, {"rope_theta": 1_000_000.0})
QWEN3 = Language("Qwen 3", "Qwen3Model", "Qwen3Config", 128, {"rope_theta": 1_000_000.0}, head_norms=True)


def language_prefix(header: Header, kind: Language, *places: str) -> str | None:
    """Under which of `places` (and what transformers puts after them) a model of `kind` lies; None if under none."""
    for place in places:
        for inner in INNER:
            prefix = f"{place}{inner}"
            if f"{prefix}layers.0.self_attn.q_proj.weight" in header:
                return prefix if _is_of(header, f"{prefix}layers.0.", kind, False) else None
        if f"{place}blk.0.attn_q.weight" in header:
            return place if _is_of(header, f"{place}blk.0.", kind, True) else None
    return None


def _is_of(header: Header, layer: str, kind: Language, llama: bool) -> bool:
    four = f"{layer}{'post_ffw_norm' if llama else 'post_feedforward_layernorm'}.weight" in header
    head = f"{layer}{'attn_q_norm' if llama else 'self_attn.q_norm'}.weight" in header
    return (four, head) == (kind.four_norms, kind.head_norms)


def language_component(header: Header, prefix: str, kind: Language, part: str = "text_encoder") -> Component[nn.Module]:
    """The language model under `prefix`. part: of a folder of diffusers, whose config says what tensors do not show.

    Raises: UnknownFile if it is incomplete.
    """
    pieces = _pieces(header, prefix, kind)

    def shape(name: str) -> tuple[int, ...]:
        return need_shape(header, pieces[name].key if name in pieces else f"{prefix}{name}")

    vocabulary, width = shape("embed_tokens.weight")
    said = config_of(header.metadata, part) or {}
    said = said.get("text_config") or said
    queries, keys = shape("layers.0.self_attn.q_proj.weight")[0], shape("layers.0.self_attn.k_proj.weight")[0]
    head = _head_width(header, kind, said, queries)
    if kind.head_norms:
        head = shape("layers.0.self_attn.q_norm.weight")[0]
    config = {
        "language": kind,
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": shape("layers.0.mlp.gate_proj.weight")[0],
        "num_hidden_layers": 1 + max(int(name.split(".")[1]) for name in pieces if name.startswith("layers.")),
        "num_attention_heads": queries // head,
        "num_key_value_heads": keys // head,
        "head_dim": head,
        "tie_word_embeddings": False,
        **kind.settings,
        **{name: said[name] for name in SAID if said.get(name) is not None},
    }
    modules = {name.rpartition(".")[0]: name.rpartition(".")[0] for name in pieces}
    return Component("text encoder", build_language, config, pieces, modules)


def _head_width(header: Header, kind: Language, said: Mapping[str, Any], queries: int) -> int:
    heads = said.get("num_attention_heads")
    if heads is None:
        # GGUF: "qwen2vl.attention.head_count"
        heads = next((value for name, value in header.metadata.items() if name.endswith(".attention.head_count")), None)
    return queries // int(heads) if heads else min(kind.head, queries)


def _pieces(header: Header, prefix: str, kind: Language) -> dict[str, Piece]:
    """transformers' name -> where it lies. Output layers and eyes are left out."""
    if f"{prefix}blk.0.attn_q.weight" not in header:
        wanted = ("embed_tokens.", "layers.", "norm.")
        return {
            key[len(prefix) :]: Piece(key)
            for key in header
            if key.startswith(prefix) and key[len(prefix) :].startswith(wanted)
        }
    names = {f"{theirs}.weight": f"{ours}.weight" for theirs, ours in LLAMA_OUTER.items()}
    layer = LLAMA_LAYER | (FOUR_NORMS if kind.four_norms else TWO_NORMS)
    for number in range(numbered(header, f"{prefix}blk.")):
        for theirs, ours in layer.items():
            for end in ("weight", "bias"):
                names[f"blk.{number}.{theirs}.{end}"] = f"layers.{number}.{ours}.{end}"
    pieces = {}
    for theirs, ours in names.items():
        if f"{prefix}{theirs}" in header:
            shifted = kind.shifted_norms and "norm." in ours
            key = f"{prefix}{theirs}"
            pieces[ours] = Piece(key, less_one) if shifted else Piece(key)
    return pieces


def less_one(weight: Tensor) -> Tensor:
    return weight - 1


def build_language(config: Mapping[str, Any]) -> nn.Module:
    """The model; what it computes from its config alone is on the CPU, even where its weights are left out."""
    import torch
    import transformers

    settings = dict(config)
    kind: Language = settings.pop("language")
    said = getattr(transformers, kind.config)(**settings, use_cache=False)
    model: Any = getattr(transformers, kind.model)(said)
    with torch.device("cpu"):
        model.rotary_emb = type(model.rotary_emb)(said)
        scale = getattr(model.embed_tokens, "scalar_embed_scale", None)
        if scale is not None:
            model.embed_tokens.register_buffer("embed_scale", torch.tensor(scale), persistent=False)
    built: nn.Module = model
    return built


@dataclass(frozen=True)
class LanguagePart:
    """A language model and how a family listens to it.

    before, after: what stands around the prompt. starts: pieces of the vocabulary before all (a start token). leaves:
    the answers to `before` are not taken. hidden: how many layers before the last it is listened to (0: the last, with
    its norm). spaced: the prompt's words come after a space.
    """

    component: Component[nn.Module]
    name: str
    words: Words
    before: str = ""
    after: str = ""
    starts: tuple[str, ...] = ()
    leaves: bool = False
    hidden: Sequence[int] = (0,)
    most: int = 512
    least: int = 0
    marks_end: bool = True
    spaced: bool = False
    fill: tuple[str, ...] = ("<|endoftext|>", "<pad>")
    large: bool = True

    def encoder(self, model: nn.Module, identity: Hashable, near: Path) -> WholeEncoder:
        from modules.conditioning.whole import Manner, WholeEncoder

        vocabulary = vocabulary_near(near, self.words)
        before = (*(vocabulary.need(piece) for piece in self.starts), *vocabulary.encode(self.before))
        after = tuple(vocabulary.encode(self.after))
        manner = Manner(
            before=before,
            after=after,
            fill=vocabulary.need(*self.fill),
            dropped=len(before) if self.leaves else 0,
            least=self.least,
            most=self.most + (len(before) if self.leaves else 0),
            marks_end=self.marks_end,
        )
        read = _after_space(vocabulary) if self.spaced else vocabulary
        return WholeEncoder(model, read, manner, name=self.name, listen=listening(self.hidden), identity=identity)


def listening(layers: Sequence[int]) -> Listen:
    """A `Listen`: one number takes the state so many layers before the last; several are counted from the first, and
    their states come side by side."""
    import torch

    from modules.conditioning.whole import hidden_before, last_hidden_masked

    if tuple(layers) == (0,):
        return last_hidden_masked
    if len(layers) == 1:
        return hidden_before(layers[0])

    def listen(model: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        states = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        return torch.cat([states[number] for number in layers], dim=-1)

    return listen


def _after_space(vocabulary: Vocabulary) -> Vocabulary:
    def encode(text: str) -> list[int]:
        text = text.strip()
        return vocabulary.encode(f" {text}" if text[:1].isalnum() else text) if text else []

    return replace(vocabulary, encode=encode)


def language_wanted(
    kind: Language,
    name: str,
    words: str,
    width: int,
    draw: Callable[[Header, str], LanguagePart],
    hints: tuple[str, ...],
) -> Wanted:
    """A language model with that many numbers per token, in a file of its own."""

    def recognise(header: Header) -> bool:
        prefix = language_prefix(header, kind, "")
        if prefix is None:
            return False
        shape = header.shape(f"{prefix}embed_tokens.weight") or header.shape(f"{prefix}token_embd.weight")
        return shape is not None and shape[1] == width

    return Wanted(name, words, recognise, partial(_drawn, kind, draw), hints)


def _drawn(kind: Language, draw: Callable[[Header, str], LanguagePart], header: Header) -> LanguagePart:
    return draw(header, language_prefix(header, kind, "") or "")
