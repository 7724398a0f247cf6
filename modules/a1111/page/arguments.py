"""Values of script components on their way through a job, which lies on disk until it is drawn."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from PIL import Image

# The one key of the object that stands for a value which cannot be written down.
KEPT = "a1111.kept"
ARRAY = "a1111.array"
MOST_KEPT = 256


class Keeper:
    """Writes values as JSON and pictures can hold them. What neither can is kept in memory, the latest of them."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def written(self, value: Any) -> Any:
        """`value` as a job can keep it."""
        if value is None or isinstance(value, (bool, int, float, Image.Image)):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, (list, tuple)):
            return (
                type(value)(self.written(one) for one in value) if type(value) in (list, tuple) else self._keep(value)
            )
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self.written(one) for key, one in value.items()}
        if type(value).__module__ == "numpy":
            return self._array(value)
        return self._keep(value)

    def read(self, value: Any) -> Any:
        """What `written` was given. A value that was in memory alone is None after a restart."""
        if isinstance(value, (list, tuple)):
            return type(value)(self.read(one) for one in value)
        if not isinstance(value, Mapping):
            return value
        if KEPT in value:
            return self._kept.get(value[KEPT])
        if ARRAY in value:
            import numpy as np

            return np.asarray(value[ARRAY])
        return {key: self.read(one) for key, one in value.items()}

    def _array(self, value: Any) -> Any:
        if getattr(value, "shape", None) == ():
            return value.item()
        if value.dtype == "uint8" and value.ndim in (2, 3) and (value.ndim == 2 or value.shape[2] in (3, 4)):
            return {ARRAY: Image.fromarray(value)}
        return self._keep(value)

    def _keep(self, value: Any) -> dict[str, str]:
        name = uuid.uuid4().hex
        self._kept[name] = value
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return {KEPT: name}
