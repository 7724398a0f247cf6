"""Sentences of the core are shown in the reader's language, and every template belongs to a sentence that is said."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

from modules.gui.i18n import LANGUAGES
from modules.gui.sentences import in_language, templates

MODULES = Path(__file__).resolve().parents[2] / "modules"
OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("The checkpoint 'a model' is not here.", "模型 'a model' 不在本机。"),
        ("steps (steps) is 0, but must be at least 1.", "steps(steps)为 0,但不能小于 1。"),
        (
            "boat.png was passed over: There is no folder /x on the machine that the studio runs on. "
            "Name one that is there.",
            "已跳过 boat.png:运行本程序的机器上没有文件夹 /x。请填写已有的文件夹。",
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


def _literals(path: Path) -> str:
    """All texts of a file; those that are written in pieces are one."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return "\n".join(found)
