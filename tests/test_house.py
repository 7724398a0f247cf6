"""The house stands as `modules/__init__.py` draws it: imports only go down, and the core needs no server."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "modules"

FLOORS = [
    {"terms"},
    {"settings", "prompt", "imaging", "diffusion", "networks"},
    {"conditioning"},
    {"checkpoints"},
    {"control", "enhance"},
    {"generation", "training"},
    {"merging"},
    {"studio"},
    {"sdapi", "gui"},
    {"a1111"},
]
BESIDE = {"bootstrap"}  # runs before anything is installed: standard library only, see tests/test_bootstrap.py
FLOOR = {folder: number for number, floor in enumerate(FLOORS) for folder in floor}
CORE = [room for floor in FLOORS[:7] for room in sorted(floor) if (MODULES / room).is_dir()]
WITHOUT_TORCH = ["modules.terms.request", "modules.terms.result", "modules.settings", "modules.prompt"]


def room(name: str) -> str:
    """The folder under modules/ that a dotted name lies in, '' if none."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "modules" else ""


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(MODULES.rglob("*.py")):
        here = path.relative_to(MODULES).parts[0]
        if here in FLOOR and "facades" not in path.parts:
            yield path, here


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno


def test_every_folder_has_its_floor() -> None:
    folders = {path.name for path in MODULES.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(FLOOR) | BESIDE, f"not in FLOORS: {folders - set(FLOOR) - BESIDE}"


def test_imports_only_go_down() -> None:
    upward = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path, here in sources()
        for name, line in imports_of(path)
        if room(name) in FLOOR and room(name) != here and FLOOR[room(name)] >= FLOOR[here]
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize(("library", "rooms"), [("gradio", {"gui", "a1111"}), ("fastapi", {"sdapi", "gui", "a1111"})])
def test_faces_alone_know_their_library(library: str, rooms: set[str]) -> None:
    strangers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path, here in sources()
        for name, line in imports_of(path)
        if name.split(".")[0] == library and here not in rooms
    ]
    assert not strangers, "\n".join(strangers)


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in sys.modules after `statement` ran in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_core_imports_without_a_server() -> None:
    loaded = loaded_after("\n".join(f"import modules.{name}" for name in CORE))
    assert not loaded & {"gradio", "fastapi", "uvicorn", "starlette"}


def test_requests_settings_and_prompts_need_no_torch() -> None:
    names = [name for name in WITHOUT_TORCH if (ROOT / name.replace(".", "/")).exists() or "terms" in name]
    assert "torch" not in loaded_after("\n".join(f"import {name}" for name in names))
