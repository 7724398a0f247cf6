"""Functions of A1111 that the studio never calls: an extension that puts its own in their place is told of."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from modules.a1111.bound import bound
from modules.a1111.missing import PAGE, NotOffered


def tell(p: Any) -> None:
    """Reports each function in place of one that would have to draw: its extension, its name, and where to look.

    The rest of the extension goes on, and the picture is drawn without it.
    """
    for name, function in _replaced(p):
        extensions = bound().studio.extensions
        extension = extensions.name_of(function.__code__.co_filename)
        sentence = (
            f"{extension} put its own function in place of {name}, which the studio never calls: it walks and "
            f"guides by itself. {PAGE} lists what takes part in the drawing."
        )
        extensions.failed(extension, name, NotOffered(sentence))
        p.comment(sentence)


def _replaced(p: Any) -> Iterator[tuple[str, FunctionType]]:
    """Name and function of each that is not this room's."""
    from modules import sd_samplers_cfg_denoiser

    places = (
        ("p.sample", p, "sample"),
        ("CFGDenoiser.forward", sd_samplers_cfg_denoiser.CFGDenoiser, "forward"),
        ("CFGDenoiser.forward", getattr(p.sampler, "model_wrap_cfg", None), "forward"),
    )
    seen = set()
    for name, owner, attribute in places:
        found = getattr(owner, attribute, None)
        function = getattr(found, "__func__", found)
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        if "/modules/a1111/" not in function.__code__.co_filename.replace("\\", "/"):
            yield name, function
