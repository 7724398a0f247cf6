"""The installation itself: real pip and real environments, with tiny packages from a folder instead of a registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from modules.bootstrap import browser, environment, install, packages, stamp
from modules.bootstrap.builds import PAIR, Build
from modules.bootstrap.environment import Environment
from modules.bootstrap.failure import SetupError
from modules.bootstrap.packages import Packages, Unresolvable, explained, reachable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths of POSIX environments")

TORCH = """
__version__ = "{version}"
class cuda:
    is_available = staticmethod(lambda: False)
class version:
    hip = None
zeros = lambda *shape: None
"""
VISION = """
class ops:
    nms = staticmethod(lambda *arguments: None)
"""
BROKEN_VISION = "raise RuntimeError('operator torchvision::nms does not exist')\n"


def wheel(shelf: Path, name: str, version: str, source: str = "", needs: str = "") -> None:
    """A package of one module on the shelf."""
    shelf.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (
        f"Requires-Dist: {needs}\n" if needs else ""
    )
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(shelf / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


@pytest.fixture(scope="module")
def installed_once(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose requirements are tiny, installed by its own webui.sh."""
    target = tmp_path_factory.mktemp("clone")
    shelf = target / "shelf"
    wheel(shelf, "torch", PAIR[0], TORCH.format(version=PAIR[0]), needs="nvidia_something")
    wheel(shelf, "nvidia_something", "1.0")
    wheel(shelf, "torchvision", PAIR[1], VISION, needs=f"torch=={PAIR[0]}")
    wheel(shelf, "torch", "9.0", TORCH.format(version="9.0"))
    wheel(shelf, "torchvision", "9.0", BROKEN_VISION, needs="torch==9.0")
    for version in ("1.0", "1.1", "2.0"):
        wheel(shelf, "library", version, f"version = '{version}'\n")
    wheel(shelf, "spandrel", "1.0", "import torchvision\n", needs="torchvision")
    wheel(shelf, "data_only", "1.0", needs="cannot-be-found")
    wheel(shelf, "test_extra", "1.0")
    (target / "modules").mkdir()
    shutil.copytree(root / "modules/bootstrap", target / "modules/bootstrap")
    for name in ("modules/__init__.py", "webui.sh"):
        shutil.copy2(root / name, target / name)
    for name, text in {
        "requirements.txt": "library>=1,<2\n",
        "requirements-vision.txt": "spandrel\n",
        "requirements-data.txt": "data_only==1.0\n",
        "requirements-test.txt": "test_extra\n",
        "requirements.lock": "# tested\nlibrary==1.0\n",
        "webui.py": "import torch, library; print('torch', torch.__version__, 'library', library.version)\n",
    }.items():
        (target / name).write_text(text)
    first = start(target)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1] == f"torch {PAIR[0]} library 1.0"
    return target


@pytest.fixture
def clone(installed_once: Path, tmp_path: Path) -> Path:
    """The installed clone, to be changed. An environment may move: only its scripts know its path."""
    return shutil.copytree(installed_once, tmp_path / "clone", symlinks=True)


def start(target: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """./webui.sh with pip bound to the shelf, and PyTorch's build named so that no index is asked."""
    bound = {
        "PATH": os.environ["PATH"],
        "HOME": str(target),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(target / "shelf"),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "TORCH_INDEX_URL": "file:///nowhere/cpu",
        "NO_SYSTEM_PACKAGES": "1",
        "PYTHON": sys.executable,
        **environ,
    }
    command = ["bash", str(target / "webui.sh"), *words]
    return subprocess.run(command, env=bound, capture_output=True, text=True, timeout=280)


def installed(target: Path) -> set[str]:
    folder = environment.locate(target, {}).packages
    return {path.name.removesuffix(".dist-info") for path in folder.glob("*.dist-info")}


def test_a_fresh_clone_gets_the_pair_the_lock_and_the_rest(clone: Path) -> None:
    assert {f"torch-{PAIR[0]}", f"torchvision-{PAIR[1]}", "spandrel-1.0", "data_only-1.0"} <= installed(clone)
    assert not any(name.startswith("test_extra") for name in installed(clone))
    written = stamp.read(clone / "venv")
    assert written is not None
    assert written.finished
    assert written.torch == PAIR[0]


def test_a_second_start_installs_nothing(clone: Path) -> None:
    done = start(clone, PIP_FIND_LINKS="/nowhere")
    assert done.stdout.splitlines() == [f"torch {PAIR[0]} library 1.0"]


def test_a_killed_installation_goes_on(clone: Path) -> None:
    """As if killed while library was being unpacked: its metadata is there, its module and INSTALLER are not."""
    folder = environment.locate(clone, {}).packages
    (folder / "library.py").unlink()
    (folder / "library-1.0.dist-info/INSTALLER").unlink()
    (folder / "~ibrary").mkdir()
    known = stamp.read(clone / "venv")
    assert known is not None
    stamp.write(clone / "venv", replace(known, finished=False))
    done = start(clone)
    assert "was not finished" in done.stdout
    assert done.stdout.splitlines()[-1] == f"torch {PAIR[0]} library 1.0"
    assert not (folder / "~ibrary").exists()


def test_a_lock_that_cannot_be_had_gives_way_to_the_ranges(clone: Path) -> None:
    (clone / "requirements.lock").write_text("library==1.0.5\n")
    (clone / "requirements.txt").write_text("library>=1.1,<2\n")
    done = start(clone)
    assert "within the allowed ranges" in done.stdout
    assert done.stdout.splitlines()[-1] == f"torch {PAIR[0]} library 1.1"


def test_what_exists_nowhere_is_an_error_with_a_step(clone: Path) -> None:
    (clone / "requirements.txt").write_text("library>=3\n")
    done = start(clone)
    assert done.returncode == 1
    assert "Stopped at step 4 of 4: Libraries" in done.stderr
    assert "library>=3" in done.stderr.split("Why:")[1]


def test_a_torch_without_a_fitting_torchvision_says_so_until_there_is_a_pair(clone: Path) -> None:
    own = {"TORCH_COMMAND": "pip install torch==9.0"}
    first, second = start(clone, **own), start(clone, **own)
    assert first.stdout.splitlines()[-1] == "torch 9.0 library 1.0"
    assert not any(name.startswith(("torchvision", "spandrel", "nvidia_")) for name in installed(clone))
    assert len(second.stdout.splitlines()) == 2
    assert second.stdout.startswith("Note: no torchvision fits PyTorch 9.0")
    kept = start(clone, TORCH_INDEX_URL="")
    assert kept.stdout == second.stdout
    without = start(clone, "--reinstall-torch")
    assert without.stdout.splitlines()[-1] == f"torch {PAIR[0]} library 1.0"
    assert {f"torch-{PAIR[0]}", f"torchvision-{PAIR[1]}"} <= installed(clone)
    assert "Note" not in without.stdout


def test_nothing_replaces_the_torch_at_hand(clone: Path) -> None:
    wheel(clone / "shelf", "grabby", "1.0", needs="torch>=9")
    (clone / "requirements.txt").write_text("library\ngrabby\n")
    done = start(clone)
    assert done.returncode == 1
    assert f"torch-{PAIR[0]}" in installed(clone)


def test_the_extras_come_with_the_tests(clone: Path) -> None:
    wheel(clone / "shelf", "pytest", "1.0", "import sys\nprint('ran', sys.argv[1:])\n")
    (clone / "requirements-test.txt").write_text("test_extra\npytest\n")
    done = start(clone, "test", "-x")
    assert "[5/5]" in done.stdout
    assert done.stdout.splitlines()[-1] == "ran ['-x']"
    assert "test_extra-1.0" in installed(clone)


@pytest.mark.slow
def test_a_broken_environment_is_made_again(clone: Path) -> None:
    (clone / "venv/bin/python").unlink()
    (clone / "venv/bin/python").symlink_to("/nowhere/python")
    done = start(clone)
    assert "Made again" in done.stdout
    assert done.returncode == 0


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(SetupError, match="other things"):
        environment.ensure_usable(Environment(tmp_path, tmp_path / "bin/python"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("made_here", [True, False])
def test_remains_of_an_environment_are_cleared_where_they_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_here: bool
) -> None:
    made: list[Environment] = []
    monkeypatch.setattr(environment, "_make", lambda env, uv: made.append(env))
    env = Environment(tmp_path / "venv", tmp_path / "venv/bin/python")
    if made_here:
        environment.ensure_usable(env)  # and there the start was killed
    (env.folder / "lib").mkdir(parents=True)
    (env.folder / "pyvenv.cfg").touch()
    environment.ensure_usable(env)
    if made_here:
        assert environment.ensure_working(env, None).startswith("Made again")
        assert made == [env]
        assert not (env.folder / "lib").exists()
        return
    with pytest.raises(SetupError, match="not made here"):
        environment.ensure_working(env, None)
    assert (env.folder / "lib").exists()


def test_without_a_venv_module_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="no venv module") as stop:
        environment._make(Environment(tmp_path, tmp_path / "bin/python"), None)
    assert "venv" in stop.value.advice


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SetupError, match="cannot be written"):
        environment.ensure_usable(Environment(tmp_path / "venv", tmp_path / "venv/bin/python"))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "venv").touch()
    with pytest.raises(SetupError, match="cannot be written"):
        environment.ensure_usable(Environment(tmp_path / "venv", tmp_path / "venv/bin/python"))


@pytest.mark.parametrize(("free_gb", "outcome"), [(100.0, "cached"), (9.0, "uncached"), (5.0, "refused")])
def test_space_is_looked_at_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, outcome: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    env, pip = Environment(tmp_path, Path(sys.executable)), Packages(Path(sys.executable), {}, tmp_path)
    build = Build("cu130", "a card", download_gb=2.7, disk_gb=4.8)
    if outcome == "refused":
        with pytest.raises(SetupError, match=r"5\.0 GB free") as stop:
            install.ensure_space(env, pip, build)
        assert "VENV_DIR=" in stop.value.advice
        return
    install.ensure_space(env, pip, build)
    assert ("PIP_NO_CACHE_DIR" in pip.environ) == (outcome == "uncached")


def test_a_small_temporary_folder_is_gone_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1 << 29))
    assert Packages(Path(sys.executable), {}, tmp_path).environ["TMPDIR"] == str(tmp_path)


@pytest.mark.parametrize(
    ("complaint", "why"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying after connection broken by NewConnectionError: Failed to resolve 'pypi.org'\n"
            "ERROR: Could not find a version that satisfies the requirement torch==2.12.1 (from versions: none)\n"
            "ERROR: No matching distribution found for torch==2.12.1",
            "registry cannot be reached",
        ),
        (
            "error: Failed to fetch: `https://pypi.org/simple/torch/`\n  Caused by: dns error",
            "registry cannot be reached",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/opt'", "written"),
        ("ERROR: ResolutionImpossible: for help visit https://pip.pypa.io", "no fitting versions"),
        ("ERROR: something new", "something new"),
        ("", "no reason"),
    ],
)
def test_failures_of_pip_and_uv_are_told_apart(complaint: str, why: str) -> None:
    problem = explained(complaint, ["pip", "install", "torch"])
    assert why in problem.why
    assert problem.advice
    assert isinstance(problem, Unresolvable) == ("fitting versions" in why)


def test_an_index_that_cannot_be_reached_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[tuple[str, ...], str]] = []

    class Recorder(Packages):
        def install(self, *arguments: str, index: str = "") -> None:
            calls.append((arguments, index))

    monkeypatch.setattr(install, "reachable", lambda index: False)
    env, pip = Environment(tmp_path, Path(sys.executable)), Recorder(Path(sys.executable), {}, tmp_path)
    wanted = stamp.Stamp("r", "m", "i", "")
    build = install.builds.choose(install.machine.Machine("Linux", "x86_64"), {})
    install.with_torch(env, pip, build, None, wanted, root, renew=False)
    assert calls[0][1] == ""
    assert "cannot be reached" in capsys.readouterr().out
    needs_index = install.builds.choose(install.machine.Machine("Linux", "x86_64", amd=("gfx1100",)), {})
    with pytest.raises(SetupError, match="cannot be reached") as stop:
        install.with_torch(env, pip, needs_index, None, wanted, root, renew=False)
    assert "TORCH_INDEX_URL=" in stop.value.advice


def test_reachable_gives_up_in_time() -> None:
    assert not reachable("http://127.0.0.1:9/whl/cpu", seconds=2)
    assert reachable("file:///anywhere")


class Questioned:
    """Stands for `subprocess.run` asking pip for its configuration."""

    def __init__(self, answer: str) -> None:
        self.stdout = answer


@pytest.mark.parametrize(
    ("configuration", "uses_uv"),
    [
        ("", True),
        ("global.timeout='60'\n", True),
        ("global.find-links='/wheels'\n", False),
        (":env:.index-url='x'\n", False),
    ],
)
def test_uv_is_used_where_it_sees_what_pip_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: str, uses_uv: bool
) -> None:
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: Questioned(configuration))
    ran: list[list[str]] = []
    pip = Packages(Path("/python"), {"INDEX_URL": "https://mirror/simple"}, tmp_path, uv="/bin/uv")
    monkeypatch.setattr(pip, "_run", ran.append)
    pip.install("library", index="https://more")
    assert (ran[0][0] == "/bin/uv") == uses_uv
    assert ran[0][-5:] == ["--index-url", "https://mirror/simple", "--extra-index-url", "https://more", "library"]


def test_chromium_is_found_or_its_absence_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    environ: Mapping[str, str] = {"NO_SYSTEM_PACKAGES": "1"}
    assert browser.find(environ) is None
    assert "will be skipped" in browser.ensure(environ)
    for name in ("apt-get", "chromium"):
        (tmp_path / name).touch(mode=0o755)
        answer = browser.ensure(environ)
    assert answer == f"Chromium: {tmp_path / 'chromium'}"
