"""No string is missing in any language, and the language is the one that was asked for."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from string import Formatter

import pytest

from modules.gui import i18n
from modules.gui.i18n import LANGUAGES, choose, written_texts
from modules.gui.routes import STATIC
from modules.settings.store import Settings
from modules.terms.declare import Choice

GUI = STATIC.parent


def settings_keys() -> Iterator[str]:
    for page, settings in Settings().catalogue.sections().items():
        yield f"section.{page.label}"
        if page.category:
            yield f"category.{page.category.id}"
        for setting in settings:
            yield f"setting.{setting.key}"
            if setting.help:
                yield f"setting.{setting.key}.help"
            if isinstance(setting.control, Choice):
                yield from (
                    f"choice.{choice}" for choice in setting.control.choices if isinstance(choice, str) and choice
                )


def english() -> dict[str, str]:
    return {**i18n.declared(), **written_texts("en")}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_key_is_translated_and_none_is_left_over(language: str) -> None:
    needed = {*english(), *settings_keys()}
    translated = set(written_texts(language))
    assert sorted(needed - translated) == []
    assert sorted(translated - needed) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_placeholders_are_the_same(language: str) -> None:
    texts, original = i18n.texts(language), english()
    assert [key for key, text in texts.items() if not text.strip()] == []

    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    assert [
        key
        for key in original
        if key.split(".")[0] in ("script", "notice") and places(texts[key]) != places(original[key])
    ] == []


def test_scripts_ask_only_for_texts_that_exist_and_use_all() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    asked = set(re.findall(r'\bt\("([\w.]+)"', code))
    known = set(i18n.for_scripts("en"))
    assert asked - known == set()
    # A key may be chosen or made at run time: t(open ? "shut" : "open"), t(`phase.${name}`).
    written = set(re.findall(r"""["'`]([\w.]+)["'`]""", code))
    made = tuple(re.findall(r"`([\w.]+)\$\{", code))
    assert {key for key in known - written if not key.startswith(made)} == set()


def test_python_asks_only_for_texts_that_exist_and_uses_all() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in GUI.glob("*.py"))
    written = written_texts("en")
    unused = [
        key
        for key in written
        if key.startswith(("page.", "notice."))
        and not re.search(rf'"(page\.)?{re.escape(key.removeprefix("page."))}"', code)
    ]
    assert unused == []


def test_a_key_without_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        i18n.label("page.no_such_text")


@pytest.mark.parametrize(
    ("setting", "header", "language"),
    [
        ("auto", "en-US,en;q=0.9", "en"),
        ("auto", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("auto", "zh-TW", "zh-CN"),
        ("auto", "fr;q=0.9,zh;q=0.5,en;q=0.1", "zh-CN"),
        ("auto", "en;q=0.2,zh-Hans;q=0.7", "zh-CN"),
        ("auto", "fr,de", "en"),
        ("auto", "", "en"),
        ("auto", "zh;q=much, ;;,en", "en"),
        ("zh-CN", "en-US", "zh-CN"),
        ("en", "zh-CN", "en"),
    ],
)
def test_the_setting_goes_before_the_browser(setting: str, header: str, language: str) -> None:
    assert choose(setting, header) == language


def test_a_setting_of_an_extension_speaks_its_own_language() -> None:
    from modules.settings.setting import setting

    assert i18n.setting_text(setting("my_ext", "My label", 1, "My help"), "zh-CN") == ("My label", "My help")


def words_of_scripts() -> set[str]:
    """The labels, hints and paragraphs that the built-in scripts write into their forms."""
    found = set()
    for path in (GUI.parents[1] / "scripts").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            said = [word.value for word in call.keywords if word.arg in ("label", "info")]
            if call.func.attr == "HTML":
                said += call.args[:1]
            found |= {word.value for word in said if isinstance(word, ast.Constant)}
    return {re.sub(r"</?p>|[\\`]", "", word) for word in found}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_the_built_in_scripts_are_translated_and_nothing_else(language: str) -> None:
    told = i18n.other_words(language)["scripts"]
    assert sorted(words_of_scripts() - set(told)) == []
    code = "\n".join(path.read_text(encoding="utf-8") for path in (GUI.parents[1] / "scripts").glob("*.py"))
    # "Script" is the list of them.
    plain = re.sub(r"[\\`]", "", code) + "Script"
    made = re.compile(r"[XYZ] (type|values)|Vary seeds for [XYZ]|Swap [XYZ]/[XYZ] axes")
    assert [word for word in told if word.replace('"', "") not in plain.replace('"', "") and not made.match(word)] == []


def test_every_list_of_a_built_in_script_has_words() -> None:
    """Titles of scripts, and the axes of the plot: what is a constant there."""
    said = i18n.other_words("zh-CN")["choices"]
    plot = GUI.parents[1] / "modules" / "a1111" / "facades" / "plot_axes.py"
    for path in [*(GUI.parents[1] / "scripts").glob("*.py"), plot]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "title":
                (back,) = (one.value for one in ast.walk(node) if isinstance(one, ast.Return))
                if isinstance(back, ast.Constant) and not path.stem.startswith("dynamic"):
                    assert back.value in said
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("AxisOption"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant):
                    assert first.value in said


def test_chinese_has_the_signs_of_chinese() -> None:
    """A comma, colon or question mark of English type beside a Chinese letter looks like a slip."""
    slip = re.compile(r"[\u4e00-\u9fff”）][,:;?!](?!\d)|[,:;?!] ?[\u4e00-\u9fff“（]|\([\u4e00-\u9fff]")
    for path in sorted((GUI / "locale").glob("*zh-CN*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        inside = [text for part in said.values() if isinstance(part, dict) for text in part.values()]
        assert [text for text in [*said.values(), *inside] if isinstance(text, str) and slip.search(text)] == []
