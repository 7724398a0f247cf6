"""The studio's face restorers in A1111's shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from PIL import Image

from modules.a1111.bound import bound


class Restorer:
    """One of `shared.face_restorers`."""

    def __init__(self, label: str) -> None:
        self._label = label

    def name(self) -> str:
        return self._label

    def restore(self, np_image: Any, w: float | None = None) -> Any:
        """(H, W, 3) uint8 with its faces repaired. Raises: NotFound naming the file that is missing."""
        settings = bound().settings
        weight = settings["code_former_weight"] if w is None else w
        faces = bound().studio.engine.tools(settings).face_repair()
        return np.asarray(faces.restore(self._label, Image.fromarray(np_image), weight))


class Restorers(Sequence[Any]):
    """The studio's face restorers; what extensions append comes behind."""

    def __init__(self) -> None:
        self.added: list[Any] = []

    def _all(self) -> list[Any]:
        return [*(Restorer(name) for name in bound().studio.listing("face_restorers")), *self.added]

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def append(self, one: Any) -> None:
        self.added.append(one)
