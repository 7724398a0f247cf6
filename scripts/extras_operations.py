"""What the Extras tab does, done to every picture of txt2img and img2img: the operations that a setting names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from modules import built_in, scripts

TITLE = "Extras operations"


class Script(scripts.Script):
    """Its arguments are those of the operations, one after the other."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, int]] = []

    def title(self) -> str:
        return TITLE

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible if built_in.operations() else False

    def ui(self, is_img2img: bool) -> list[Any]:
        components: list[Any] = []
        for place, operation in enumerate(built_in.operations()):
            made = operation.build(self.elem_id(f"operation_{place}"))
            self.operations.append((operation, len(made)))
            components += made
        return components

    def wanted(self, request: Any) -> bool:
        given = request.scripts.get(TITLE)
        return any(operation.asked(values) for operation, values in self.parted(given or ()))

    def parted(self, values: Sequence[Any]) -> Iterator[tuple[Any, Sequence[Any]]]:
        """Each operation with its own values."""
        for operation, count in self.operations:
            yield operation, values[:count]
            values = values[count:]

    def postprocess_image_after_composite(self, p: Any, pp: Any, *values: Any) -> None:
        for operation, own in self.parted(values):
            if operation.asked(own):
                pp.image, entries = operation.applied(pp.image, own)
                p.extra_generation_params.update(entries)
