"""What a start does with extensions before it loads them, and how it remembers the one that broke it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.preload import preloads
from modules.studio.extensions.preparing import prepare_extensions
from modules.studio.flags import parse_flags
from modules.studio.settings_file import SettingsFile
from tests.studio.test_extension_manager import ROOT, git, upstream  # noqa: F401 - a fixture


def studio(data: Path, *flags: str) -> SimpleNamespace:
    parsed = parse_flags(["--data-dir", str(data), "--listen-without-auth", *flags])
    extensions = Extensions(parsed, SettingsFile(parsed))
    manager = Manager(extensions, ROOT, data / "tmp", data / "records.json", extensions.packages)
    return SimpleNamespace(flags=parsed, extensions=extensions, extension_manager=manager)


def extension(data: Path, name: str, **files: str) -> Path:
    folder = data / "extensions" / name
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    return folder


COUNTING = """
from pathlib import Path
with Path(__file__).with_name("ran").open("a") as ran:
    ran.write("x")
"""


def test_an_install_script_runs_once_for_what_it_says(tmp_path: Path) -> None:
    folder = extension(tmp_path, "sd-demo", install=COUNTING)
    for _ in range(2):
        prepare_extensions(studio(tmp_path))
    assert (folder / "ran").read_text() == "x"
    (folder / "requirements.txt").write_text("leftpad==1\n")
    prepare_extensions(studio(tmp_path))
    assert (folder / "ran").read_text() == "xx"


def test_one_that_fails_is_told_of_and_tried_again(tmp_path: Path) -> None:
    folder = extension(tmp_path, "sd-demo", install=COUNTING + "import no_such_package\n")
    for _ in range(2):
        one = studio(tmp_path)
        prepare_extensions(one)
        assert "package is missing" in one.extension_manager.outcomes["sd-demo"].remedy
    assert (folder / "ran").read_text() == "xx"


@pytest.mark.parametrize("flags", [("--skip-install",), ("--skip-prepare-environment",), ("--listen",)])
def test_none_runs_where_it_may_not(tmp_path: Path, flags: tuple[str, ...]) -> None:
    folder = extension(tmp_path, "sd-demo", install=COUNTING)
    one = studio(tmp_path, *flags)
    prepare_extensions(one)
    assert not (folder / "ran").exists()
    assert bool(one.extensions.failures("sd-demo")) == ("--listen" in flags)


def test_a_flag_updates_all(tmp_path: Path, upstream) -> None:  # noqa: F811
    source, url = upstream
    data = tmp_path / "data"
    first = studio(data)
    first.extension_manager.install(first.extension_manager.fetch(url).token)
    new = source.commit({"scripts/demo.py": "print('two')\n"})
    prepare_extensions(studio(data))
    assert git(data / "extensions" / "sd-demo", "rev-parse", "HEAD") != new
    prepare_extensions(studio(data, "--update-all-extensions", "--listen"))
    assert git(data / "extensions" / "sd-demo", "rev-parse", "HEAD") != new
    prepare_extensions(studio(data, "--update-all-extensions"))
    assert git(data / "extensions" / "sd-demo", "rev-parse", "HEAD") == new
    assert first.extension_manager.records.get("sd-demo").commit == new


def test_files_that_were_changed_by_hand_are_noticed(tmp_path: Path, upstream) -> None:  # noqa: F811
    _, url = upstream
    manager = studio(tmp_path / "data").extension_manager
    manager.install(manager.fetch(url).token)
    assert not manager.changed_since("sd-demo")
    file = tmp_path / "data" / "extensions" / "sd-demo" / "scripts" / "demo.py"
    file.write_text("print('mine')\n")
    assert manager.changed_since("sd-demo")


@pytest.mark.parametrize("flag", ["--disable-all-extensions", "--disable-extra-extensions", "--safe-mode"])
def test_flags_leave_all_out(tmp_path: Path, flag: str) -> None:
    extension(tmp_path, "sd-demo", preload="raise RuntimeError")
    assert studio(tmp_path).extensions.active()
    assert not studio(tmp_path, flag).extensions.active()
    assert not preloads(["--data-dir", str(tmp_path), flag])


def start(data: Path) -> Extensions:
    """The extensions of a start that has begun."""
    extensions = studio(data).extensions
    extensions.starts.begin()
    return extensions


def test_a_start_that_reached_the_page_leaves_no_mark(tmp_path: Path) -> None:
    extension(tmp_path, "sd-demo")
    for _ in range(4):
        extensions = start(tmp_path)
        assert not extensions.starts.unknown
        with extensions.starts.calling("sd-demo"):
            pass
        extensions.starts.over()
        with extensions.starts.calling("sd-demo"):
            # Later on, an extension that kills the studio is none that breaks the start.
            assert not list((tmp_path / "cache").glob("*.json"))
    assert start(tmp_path).active()


def test_two_starts_that_broke_off_are_followed_by_one_without_extensions(tmp_path: Path) -> None:
    extension(tmp_path, "sd-demo", preload="x = 1")
    arguments = ["--data-dir", str(tmp_path)]
    start(tmp_path)
    second = start(tmp_path)
    assert second.active()
    assert second.starts.unknown == 1
    assert not preloads(arguments)
    third = start(tmp_path)
    assert third.starts.without_extensions
    assert not third.active()
    third.starts.over()
    assert start(tmp_path).active()
    assert preloads(arguments)


def test_an_extension_that_kills_the_start_from_its_page_part_sits_out_the_next(tmp_path: Path) -> None:
    extension(tmp_path, "bad", preload="x = 1")
    extension(tmp_path, "good", preload="x = 1")
    begun = start(tmp_path)
    dying = begun.starts.calling("bad")
    dying.__enter__()
    assert len(preloads(["--data-dir", str(tmp_path)])) == 1
    after = start(tmp_path)
    assert after.starts.culprit == "bad"
    assert [one.name for one in after.active()] == ["good"]
