"""CLIP text encoders of families that keep them in files of their own: where they lie, and how those are known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from modules.checkpoints.blueprint import TextPart, Wanted
from modules.checkpoints.clip_text import text_component
from modules.checkpoints.components import need_shape
from modules.checkpoints.files import Header
from modules.checkpoints.folder import config_of

Pooled = Literal["no", "hidden", "projected"]
Draw = Callable[[Header, str], TextPart]
LAST_NORM = "text_model.final_layer_norm.weight"


def clip_prefix(header: Header, *prefixes: str) -> str | None:
    """Which of `prefixes` a CLIP text encoder in transformers' spelling lies under; None if under none."""
    for prefix in prefixes:
        if f"{prefix}{LAST_NORM}" in header or (prefix and f"{prefix}final_layer_norm.weight" in header):
            return prefix
    return None


def clip_part(header: Header, prefix: str, name: str, *, layer: int, final_norm: bool, pooled: Pooled) -> TextPart:
    """The encoder `name` ("clip_l", "clip_g") under `prefix`.

    pooled "projected": the pooled vector as it is, where the file has no projection: it is the identity then.
    """
    big = name == "clip_g"
    said = config_of(header.metadata, prefix.removesuffix("."))  # in folders of diffusers
    component = text_component(header, prefix, said or ({"hidden_act": "gelu"} if big else {}))
    projected = "text_projection.weight" in component.pieces
    if pooled == "projected" and projected:
        component = type(component)(
            component.name,
            component.build,
            {**component.config, "with_projection": True},
            component.pieces,
            component.modules,
        )
    elif projected:
        pieces = {key: piece for key, piece in component.pieces.items() if key != "text_projection.weight"}
        component = type(component)(component.name, component.build, component.config, pieces, component.modules)
    return TextPart(
        component,
        name,
        layer=layer,
        skippable=False,
        final_norm=final_norm,
        pooled="hidden" if pooled == "projected" and not projected else pooled,
        open_clip=big,
    )


def clip_wanted(name: str, words: str, width: int, draw: Draw, hints: tuple[str, ...]) -> Wanted:
    """A CLIP encoder with that many numbers per token, in a file of its own. draw: (header, prefix) -> part."""
    prefixes = ("", f"text_encoders.{name}.transformer.", "transformer.")

    def recognise(header: Header) -> bool:
        prefix = clip_prefix(header, *prefixes)
        # A whole checkpoint is no place to take an encoder from.
        if prefix is None or header.has_prefix("model.diffusion_model."):
            return False
        return need_shape(header, f"{prefix}{LAST_NORM}")[0] == width

    return Wanted(name, words, recognise, partial(_drawn, draw, prefixes), hints)


def _drawn(draw: Draw, prefixes: tuple[str, ...], header: Header) -> TextPart:
    return draw(header, clip_prefix(header, *prefixes) or "")
