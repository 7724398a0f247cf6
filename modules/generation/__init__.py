"""A request becomes pictures.

from modules.generation import GenerationRequest, generate, open_tools

tools = open_tools("models/Stable-diffusion")
result = generate(GenerationRequest(prompt="a red house on the grass, sunset"), tools)
result.images[0].image.save("house.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

if TYPE_CHECKING:
    from modules.generation.pipeline import generate
    from modules.generation.tools import Tools, open_tools

__all__ = ["GenerationRequest", "Hires", "Mask", "Refiner", "Source", "Tools", "generate", "open_tools"]


def __getattr__(name: str) -> Any:
    """`generate`, `open_tools` and `Tools` bring torch with them; requests and infotext do not need it."""
    if name == "generate":
        from modules.generation.pipeline import generate

        return generate
    if name in ("Tools", "open_tools"):
        from modules.generation import tools

        return getattr(tools, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
