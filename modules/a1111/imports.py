"""Imports of A1111's modules: old names, and sentences for what is not offered."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import modules
from modules.a1111.bound import bound
from modules.a1111.missing import INSTEAD, not_importable

FACADES = Path(__file__).resolve().parent / "facades"
# Modules that stand beside `modules` in A1111: launch, networks …
TOP = Path(__file__).resolve().parent / "top"
# Names of modules under which A1111 still answers.
ALIASES = {
    "scripts.postprocessing_upscale": "modules.postprocessing_upscale",
    "modules.generation_parameters_copypaste": "modules.infotext_utils",
    "modules.sd_samplers_compvis": "modules.sd_samplers_timesteps",
    "modules.shared_state": "modules.shared",
}


def open_doors() -> None:
    """From now on `from modules import shared` and its like find the facades; nothing is shadowed by one."""
    if str(FACADES) not in modules.__path__:
        modules.__path__.append(str(FACADES))
    # A1111 has imported its modules before it loads extensions, which reach them as `modules.shared_items`.
    vars(modules)["__getattr__"] = _facade
    if str(TOP) not in sys.path:
        sys.path.append(str(TOP))
    # `import extensions.NAME.part`: A1111 runs in the folder that has `extensions`; this studio may run elsewhere.
    package = ModuleType("extensions")
    package.__path__ = [str(bound().studio.flags.data_dir / "extensions")]
    sys.modules["extensions"] = package
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, LastFinder)]
    sys.meta_path.append(LastFinder())


def _facade(name: str) -> Any:
    """The facade of that name, imported now. Raises: AttributeError if there is none."""
    if f"modules.{name}" in ALIASES:
        return importlib.import_module(f"modules.{name}")
    if not ((FACADES / f"{name}.py").is_file() or (FACADES / name).is_dir()):
        raise AttributeError(f"module 'modules' has no attribute {name!r}")
    return importlib.import_module(f"modules.{name}")


class LastFinder:
    """Asked when nobody else knows a name: an old one gives the module of today, one of A1111's engine a sentence."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name in ALIASES:
            module = importlib.import_module(ALIASES[name])
            sys.modules[name] = module
            there: Any = _There(module)
            return importlib.util.spec_from_loader(name, there)
        top, _, below = name.partition(".")
        if (top in INSTEAD or (top == "modules" and below)) and not _asks_whether():
            raise not_importable(name)
        return None


def _asks_whether() -> bool:
    """Whether somebody asks `importlib.util.find_spec` if a module is there, rather than to import it."""
    frame = sys._getframe(1)
    for _ in range(6):
        if frame.f_back is None:
            return False
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "importlib.util":
            return True
    return False


class _There:
    """A loader for a module that is loaded already."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def create_module(self, spec: Any) -> Any:
        return self._module

    def exec_module(self, module: Any) -> None:
        """It has run."""
