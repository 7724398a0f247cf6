"""Lists of what the studio has, in A1111's shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from modules.a1111.bound import bound, work_now


@dataclass
class UpscalerEntry:
    """One of `shared.sd_upscalers`."""

    name: str
    data_path: str = ""
    scale: float = 4
    local_data_path: str = ""

    @property
    def scaler(self) -> Any:
        """What enlarges: the entry itself."""
        return self

    @property
    def model_name(self) -> str:
        return self.name

    @property
    def model_path(self) -> str:
        return self.data_path

    def upscale(self, img: Any, scale: float, selected_model: str | None = None) -> Any:
        """`img` enlarged by `scale`. Raises: WebuiError outside of a job."""
        return work_now("upscale").tools.enlarge(self.name)(img, float(scale))


class Upscalers(Sequence[UpscalerEntry]):
    """The studio's upscalers as they stand now; what extensions append comes behind."""

    def __init__(self) -> None:
        self.added: list[Any] = []

    def _all(self) -> list[Any]:
        return [*(UpscalerEntry(name) for name in bound().studio.listing("pixel_upscalers")), *self.added]

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
