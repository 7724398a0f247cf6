"""What the code imports is what the requirements name, and the lock pins what they name."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.bootstrap.install import VISION

CHOSEN_BY_BOOTSTRAP = {"torch", "torchvision"}
OURS = {"modules", "tests", "tools", "webui", "conftest"}


def named(file: Path) -> set[str]:
    """The packages of a requirements file, spelled as the registry compares them."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return {plain(re.split(r"[<>=!;\[ ]", line)[0]) for line in lines if line}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def strangers(paths: Iterator[Path], declared: set[str]) -> list[str]:
    """Imports in `paths` of packages that are installed here and not `declared`."""
    owners = importlib.metadata.packages_distributions()
    found = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {name.split(".")[0] for name in names} - OURS - set(sys.stdlib_module_names):
                packages = {plain(owner) for owner in owners.get(name, [])}
                if packages and not packages & declared:
                    found.append(f"{path.name} imports {name} of {', '.join(sorted(packages))}")
    return sorted(set(found))


def test_the_studio_imports_what_its_requirements_name(root: Path) -> None:
    declared = named(root / "requirements.txt") | named(root / "requirements-vision.txt") | CHOSEN_BY_BOOTSTRAP
    assert not strangers(iter([*(root / "modules").rglob("*.py"), root / "webui.py"]), declared)


def test_the_tests_import_what_the_requirements_name(root: Path) -> None:
    files = ("requirements.txt", "requirements-vision.txt", "requirements-data.txt", "requirements-test.txt")
    declared = set().union(*(named(root / name) for name in files)) | CHOSEN_BY_BOOTSTRAP
    assert not strangers(iter([*(root / "tests").rglob("*.py"), *(root / "tools").rglob("*.py")]), declared)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-vision.txt", "requirements-test.txt"])
def test_the_lock_pins_what_the_requirements_name(root: Path, name: str) -> None:
    assert named(root / name) <= named(root / "requirements.lock")


def test_pytorch_is_nobodys_requirement_but_the_bootstraps(root: Path) -> None:
    for file in root.glob("requirements*"):
        assert not named(file) & CHOSEN_BY_BOOTSTRAP, file.name


def test_the_lock_is_exact(root: Path) -> None:
    lines = [line for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert len(lines) > 50
    assert all(re.match(r"^[a-z0-9-]+==[0-9][^ ]*( ; .+)?$", line) for line in lines)


def test_what_leaves_with_torchvision_is_what_came_for_it(root: Path) -> None:
    assert {plain(name) for name in VISION} == named(root / "requirements-vision.txt")
