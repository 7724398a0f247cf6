"""Pictures that were enlarged lately, so that trying other settings of what comes after need not wait for them."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image


class EnlargedCache:
    """Keeps as many pictures as `upscaling_max_images_in_cache` says, the ones used last. Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Any, ...], Image.Image] = OrderedDict()

    def get(
        self,
        image: Image.Image,
        upscaler: str,
        scale: float,
        settings: Mapping[str, Any],
        enlarge: Callable[[], Image.Image],
    ) -> Image.Image:
        """`image` enlarged by `upscaler`: from here, or by calling `enlarge` once."""
        tiles = tuple((key, settings[key]) for key in settings if "_tile" in key)
        content = hashlib.sha256(image.tobytes()).digest()
        key = (content, image.mode, image.size, upscaler, scale, tiles)
        with self._lock:
            kept = self._kept.pop(key, None)
        larger = kept if kept is not None else enlarge()
        with self._lock:
            self._kept[key] = larger
            while len(self._kept) > int(settings["upscaling_max_images_in_cache"]):
                self._kept.popitem(last=False)
        return larger.copy()
