"""No flag is a control that does nothing: each is read somewhere, or says that it has no effect."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from modules.studio.flags import FIELDS

# Read before there are flags, as words of the command line: by modules/bootstrap, or while the line is parsed.
READ_AS_WORDS = {
    *("skip_install", "skip_prepare_environment", "skip_torch_cuda_test", "skip_python_version_check"),
    *("reinstall_torch", "test_server", "safe_mode", "listen_without_auth"),
}


def reads(path: Path) -> set[str]:
    """What is asked of something called `flags` in a file; in the table itself, what its properties ask of `self`."""
    holders = (
        {"flags", "_flags"}
        | ({"cmd_opts"} if path.parent.name == "scripts" else set())
        | ({"self"} if path.name == "flag_table.py" else set())
    )
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in holders:
                found.add(node.attr)
    return found


@pytest.fixture(scope="module")
def read(root: Path) -> set[str]:
    return set().union(
        *(
            reads(path)
            for path in [*(root / "modules").rglob("*.py"), *(root / "scripts").glob("*.py"), root / "webui.py"]
        )
    )


@pytest.mark.parametrize("entry", FIELDS.values(), ids=lambda entry: entry.name)
def test_a_flag_is_read_or_says_that_it_is_not(entry, read: set[str]) -> None:
    works = entry.name in read | READ_AS_WORDS
    silent = bool(entry.metadata["obsolete"] or entry.metadata["pending"])
    if works and silent:
        pytest.fail(f"{entry.name} is read: take `obsolete` or `pending` away from it in flag_table.py")
    assert works or silent, f"nobody reads {entry.name}: mark it `pending`, or make it work"
