"""An extension that breaks the page is left out at once: the program starts again without it, by itself."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

import pytest

import webui
from modules.studio.extensions.folder import Extensions
from modules.studio.flags import parse_flags
from modules.studio.settings_file import SettingsFile
from tests.gui.real_server import studio_at

BREAKS = """
def broken(*args, **options):
    raise TypeError("this Gradio is another one")
"""


def extensions_in(data: Path) -> Extensions:
    flags = parse_flags(["--data-dir", str(data)])
    return Extensions(flags, SettingsFile(flags))


def test_whoever_raised_last_is_to_blame_and_sits_out_the_next_start(tmp_path: Path) -> None:
    for name in ("Bad", "good"):
        (tmp_path / "extensions" / name).mkdir(parents=True)
    file = tmp_path / "extensions" / "Bad" / "part.py"
    names: dict[str, object] = {}
    exec(compile(BREAKS, str(file), "exec"), names)
    extensions = extensions_in(tmp_path)
    extensions.starts.begin()
    with pytest.raises(TypeError) as raised:
        names["broken"]()  # type: ignore[operator]
    assert extensions.blame(raised.value) == "bad"
    after = extensions_in(tmp_path)
    assert [one.name for one in after.active()] == ["good"]
    (failure,) = after.failures("Bad")
    assert failure.sentence == "TypeError: this Gradio is another one"
    assert "part.py" in failure.details
    # Once is enough: the start after that tries it again.
    assert [one.name for one in extensions_in(tmp_path).active()] == ["Bad", "good"]


def test_nobody_is_blamed_for_what_the_studio_raised_itself(tmp_path: Path) -> None:
    (tmp_path / "extensions" / "fine").mkdir(parents=True)
    extensions = extensions_in(tmp_path)
    with pytest.raises(ZeroDivisionError) as raised:
        1 / 0  # noqa: B018
    assert extensions.blame(raised.value) == ""
    assert extensions_in(tmp_path).active()


@pytest.mark.skipif(os.name == "nt", reason="a program on Windows cannot become another")
def test_it_becomes_the_same_program_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def becomes(program: str, words: list[str]) -> None:
        raise SystemExit([program, *words])

    monkeypatch.setattr(os, "execv", becomes)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-X", "utf8", "webui.py", "--port", "1"])
    with pytest.raises(SystemExit) as became:
        webui.start_again()
    assert became.value.code == [sys.executable, sys.executable, "-X", "utf8", "webui.py", "--port", "1"]


@pytest.mark.slow  # the whole program, twice
def test_the_page_is_up_without_the_extension_that_broke_it(tmp_path: Path) -> None:
    scripts = tmp_path / "extensions" / "bad" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "bad.py").write_text(f"import gradio\n{BREAKS}\ngradio.Blocks.get_config_file = broken\n")
    with studio_at(tmp_path) as server, urllib.request.urlopen(f"{server.address}/internal/extensions") as answer:
        found = json.load(answer)
    assert found["culprit"] == "bad"
    (row,) = found["extensions"]
    assert not row["active"]
    assert row["enabled"]
    assert row["failures"][0]["sentence"] == "TypeError: this Gradio is another one"
