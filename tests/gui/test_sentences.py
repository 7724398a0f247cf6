"""Sentences of the core are shown in the reader's language, and every template belongs to a sentence that is said."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from modules.gui.i18n import LANGUAGES
from modules.gui.sentences import ABOUT_MISSING, about_missing, in_language, templates

MODULES = Path(__file__).resolve().parents[2] / "modules"
# What these rooms say can be met on the page; the rest speaks to programs, or has a page of its own.
ROOMS = (
    *("terms", "settings", "imaging", "diffusion", "networks", "conditioning", "checkpoints"),
    *("control", "enhance", "merging", "generation", "gui"),
)
OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The checkpoint 'a model' is not here.", "模型 'a model' 不在本机。"),
        ("steps (steps) is 0, but must be at least 1.", "steps（steps）为 0，但不能小于 1。"),
        (
            "boat.png was passed over: There is no folder /x on the machine that the studio runs on. "
            "Name one that is there.",
            "已跳过 boat.png：运行本程序的机器上没有文件夹 /x。请填写已有的文件夹。",
        ),
        ("Nobody ever said {this}.", "Nobody ever said {this}."),
    ],
)
def test_a_sentence_is_told_in_chinese(sentence: str, said: str) -> None:
    assert in_language(sentence, "zh-CN") == said
    assert in_language(sentence, "en") == sentence


@pytest.mark.parametrize("language", OTHERS)
def test_every_template_fills_the_same_places(language: str) -> None:
    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert [english for english, text in templates(language).items() if places(english) != places(text)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_template_belongs_to_a_sentence_of_the_program(language: str) -> None:
    """Otherwise a sentence was changed and its translation forgotten."""
    code = " ".join(_literals(path) for path in MODULES.rglob("*.py"))
    lost = []
    for english in templates(language):
        pieces = [piece.strip() for piece in re.split(r"\{\w+\}", english)]
        longest = max(pieces, key=len)
        if longest not in code:
            lost.append(english)
    assert lost == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_that_the_page_can_show_has_a_translation(language: str) -> None:
    said = [(path.name, text) for room in ROOMS for path in (MODULES / room).rglob("*.py") for text in _raised(path)]
    assert len(said) > 150
    assert [one for one in said if in_language(one[1], language) == one[1]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_model_is_recognised_in_every_language(language: str) -> None:
    for template in ABOUT_MISSING:
        said = (templates(language) or {}).get(template, template)
        assert about_missing(re.sub(r"\{\w+\}", "dog", said)), template
    assert not about_missing(in_language("The job was cancelled.", language))


def _raised(path: Path) -> list[str]:
    """The sentences that a file raises or notes, each place filled with a word."""
    errors = {node.name for node in ast.walk(_tree(MODULES / "terms/errors.py")) if isinstance(node, ast.ClassDef)}
    found = []
    for node in ast.walk(_tree(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        said = node.args[0]
        if name not in {*errors, "note", "on_note"}:
            continue
        if isinstance(said, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "dog" for part in said.values))
        elif isinstance(said, ast.Constant) and isinstance(said.value, str):
            found.append(said.value)
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _literals(path: Path) -> str:
    """All texts of a file; those that are written in pieces are one."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return "\n".join(found)
