"""Studios with extensions of our own writing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import modules
from modules.a1111.host import install
from modules.a1111.imports import FACADES, TOP
from modules.studio.flags import parse_flags
from modules.studio.studio import Studio
from modules.terms.request import GenerationRequest

ROOT = Path(__file__).parents[2]
REQUEST = GenerationRequest(prompt="a red circle", steps=2, width=64, height=64, seed=5)


class Hosted:
    """A studio with its extensions loaded, drawing with the built-in model."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.host = install(studio)
        self.host.load()
        self.host.build_without_page()

    def draw(self, request: GenerationRequest = REQUEST, **changes: Any) -> Any:
        """The finished job of `request`."""
        job = self.studio.submit(request.with_(**changes))
        while self.studio.jobs.get(job.id).state in ("queued", "running"):
            time.sleep(0.02)
        return self.studio.jobs.get(job.id)


def forget_facades() -> None:
    """The facades stand for one studio each; another test has another."""
    for name in [name for name, module in list(sys.modules.items()) if _is_hosted(name, module)]:
        del sys.modules[name]
        parent, _, own = name.rpartition(".")
        if parent == "modules":
            vars(modules).pop(own, None)
    if str(FACADES) in modules.__path__:
        modules.__path__.remove(str(FACADES))


def _is_hosted(name: str, module: Any) -> bool:
    file = getattr(module, "__file__", None) or ""
    return (
        file.startswith((str(FACADES), str(TOP)))
        or name.endswith(".py")
        or name.startswith("scripts.")
        or "/extensions/" in file
    )


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Callable[..., Hosted]]:
    """`hosted(name=code, …)` is a studio whose extensions `name` have one script with that code."""
    yield from hosting(tmp_path)


@pytest.fixture(scope="module")
def hosted_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Hosted]]:
    """As `hosted`, for tests that share one studio."""
    yield from hosting(tmp_path_factory.mktemp("studio"))


def hosting(tmp_path: Path) -> Iterator[Callable[..., Hosted]]:
    made: list[Hosted] = []

    def make(*arguments: str, **extensions: str) -> Hosted:
        for name, code in extensions.items():
            folder = tmp_path / "extensions" / name / "scripts"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.py").write_text(code, encoding="utf-8")
        flags = [
            "--data-dir",
            str(tmp_path),
            "--ckpt-dir",
            str(ROOT / "models" / "Stable-diffusion"),
            *arguments,
            "--ui-debug-mode",
        ]
        studio = Studio(parse_flags(flags))
        made.append(Hosted(studio))
        studio.start()
        return made[-1]

    yield make
    for one in made:
        one.studio.close()
    forget_facades()
