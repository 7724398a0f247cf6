"""The studio's own scripts, in a studio that draws with the built-in model."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

_spec = importlib.util.spec_from_file_location("hosted_studios", Path(__file__).parents[1] / "a1111" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_hosted_studios = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hosted_studios)
hosted = _hosted_studios.hosted


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A studio with no extensions. Facades stand for one studio at a time: `hosted` belongs into other modules."""
    folder = tmp_path_factory.mktemp("studio")
    checkpoints = str(_hosted_studios.ROOT / "models" / "Stable-diffusion")
    flags = ["--data-dir", str(folder), "--ckpt-dir", checkpoints, "--ui-debug-mode"]
    one = _hosted_studios.Hosted(_hosted_studios.Studio(_hosted_studios.parse_flags(flags)))
    one.request = _hosted_studios.REQUEST.with_
    one.studio.start()
    yield one
    one.studio.close()
    _hosted_studios.forget_facades()


@pytest.fixture(scope="session")
def pixels() -> Callable[..., np.ndarray]:
    """`pixels(job, number)`: the number-th picture of a job, (H, W, 3) uint8."""

    def read(job: Any, number: int = 0) -> np.ndarray:
        return np.asarray(Image.open(job.result["images"][number]["path"]).convert("RGB"))

    return read
