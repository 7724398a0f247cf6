"""A start with everything in place is handed over at once; one without explains itself."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modules.bootstrap import environment, machine, stamp
from modules.bootstrap.stamp import Stamp

posix = pytest.mark.skipif(os.name == "nt", reason="webui.sh and exec are for POSIX")

ARGUMENTS = "import sys, json, os; print(json.dumps([sys.argv, os.environ.get('SD_WEBUI_RESTARTING')]))\n"


def clone(root: Path, target: Path) -> Path:
    """A copy of what a start needs, with a webui.py that prints its arguments."""
    names = ["webui.sh", *stamp.REQUIREMENTS]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    shutil.copy2(root / "modules/__init__.py", target / "modules/__init__.py")
    shutil.copytree(root / "modules/bootstrap", target / "modules/bootstrap", dirs_exist_ok=True)
    (target / "webui.py").write_text(ARGUMENTS)
    return target


def pretend_installed(target: Path, **changes: object) -> Path:
    """An environment that holds a Python and a stamp, and nothing else."""
    folder = target / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    env = environment.locate(target, {})
    fitting = Stamp(stamp.fingerprint(target), machine.signature(), env.interpreter, "cpu", finished=True)
    stamp.write(folder, replace(fitting, **changes))  # type: ignore[arg-type]
    return folder


def start(target: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """./webui.sh `words`, with a pip that would be noticed."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(target), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    command = ["bash", str(target / "webui.sh"), *words]
    return subprocess.run(command, cwd=target.parent, env=plain, capture_output=True, text=True, timeout=120)


@posix
def test_a_second_start_is_handed_over(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path / "clone")
    pretend_installed(target, remarks=("the moon is full",))
    done = start(target, "--api", "--port", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Note: the moon is full", '[["webui.py", "--api", "--port", "1"], null]']


@posix
def test_a_second_start_loads_nothing_heavy(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target)
    code = f"""
import os, sys
sys.path.insert(0, {str(target)!r})
def execve(program, command, environ):
    print(program, *sys.modules)
    raise SystemExit
os.execve = execve
from modules.bootstrap.start import main
main([])
"""
    plain = {"PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=plain, capture_output=True, text=True, check=True)
    program, *loaded = done.stdout.split()
    assert program == str(target / "venv/bin/python")
    assert not {"urllib.request", "ssl", "argparse", "torch", "pip", "modules.bootstrap.install"} & set(loaded)


@posix
@pytest.mark.parametrize(
    "changes", [{"finished": False}, {"requirements": "other"}, {"machine": "other"}, {"interpreter": "other"}]
)
def test_a_stamp_that_does_not_fit_leads_to_the_installation(root: Path, tmp_path: Path, changes: dict) -> None:
    target = clone(root, tmp_path)
    folder = pretend_installed(target, **changes)
    done = start(target)  # the folder has no pyvenv.cfg, so that the installation stops at its first step
    assert done.returncode == 1
    assert "Stopped at step 1" in done.stderr
    assert "other things" in done.stderr
    assert (folder / "bin/python").exists()


@posix
@pytest.mark.parametrize("variable", ["TORCH_COMMAND", "TORCH_INDEX_URL"])
def test_another_choice_of_pytorch_is_noticed(root: Path, tmp_path: Path, variable: str) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target, choice={variable: "mine"})
    assert start(target, **{variable: "other"}).returncode == 1
    assert start(target, **{variable: "mine"}).returncode == 0
    assert start(target).returncode == 0  # who chooses nothing keeps what is there


@posix
def test_changed_requirements_are_noticed(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target)
    with (target / "requirements.txt").open("a") as file:
        file.write("onemore\n")
    assert start(target).returncode == 1
    assert start(target, "--skip-install").returncode == 0
    assert start(target, COMMANDLINE_ARGS="--skip-prepare-environment").returncode == 0


@posix
def test_the_tests_need_their_extras(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target)
    assert start(target).returncode == 0
    assert "Stopped at step 1" in start(target, "test").stderr


@posix
def test_pytests_status_and_last_line_come_through(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target, tests=True)
    fake = target / "pytest.py"
    facts = (
        "print(sys.argv[1:], os.environ['OMP_NUM_THREADS'], {'COMMANDLINE_ARGS', 'SD_WEBUI_RESTART'} & {*os.environ})"
    )
    fake.write_text(f"import os, sys\n{facts}\nprint('3 failed')\nsys.exit(5)\n")
    done = start(target, "test", "-k", "one thing", COMMANDLINE_ARGS="--port 1")
    assert done.returncode == 5
    assert done.stdout.splitlines() == ["['-k', 'one thing'] 1 set()", "3 failed"]


@posix
def test_a_stop_that_leaves_the_restart_file_is_a_restart(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target)
    first = "import os, pathlib\npathlib.Path('tmp').mkdir(exist_ok=True)\n"
    again = "if not os.environ.get('SD_WEBUI_RESTARTING'): pathlib.Path(os.environ['SD_WEBUI_RESTART']).touch()\n"
    (target / "webui.py").write_text(first + again + ARGUMENTS)
    done = start(target, "--api")
    assert done.stdout.splitlines() == ['[["webui.py", "--api"], null]', '[["webui.py", "--api"], "1"]']
    assert not (target / "tmp/restart").exists()


@posix
def test_the_users_file_is_read(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    pretend_installed(target).rename(target / "elsewhere")
    (target / "webui-user.sh").write_text('venv_dir="elsewhere"\nexport SD_WEBUI_RESTARTING=mine\n')
    assert "mine" in start(target).stdout


@posix
def test_a_python_that_is_none_is_named(root: Path, tmp_path: Path) -> None:
    done = start(clone(root, tmp_path), PYTHON="false")
    assert done.returncode == 1
    assert "PYTHON=false" in done.stderr


@posix
def test_no_python_at_all_is_explained(root: Path, tmp_path: Path) -> None:
    target = clone(root, tmp_path)
    tools = target / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "rm"):
        (tools / name).symlink_to(shutil.which(name) or name)
    done = start(target, PATH=str(tools))
    assert done.returncode == 1
    assert "There is no Python." in done.stderr


@posix
@pytest.mark.parametrize("script", ["webui.sh", "webui-user.sh", ".ci/run", ".ci/relock"])
def test_the_scripts_parse(root: Path, script: str) -> None:
    subprocess.run(["bash", "-n", str(root / script)], check=True)
    assert os.access(root / script, os.X_OK)


def old_pythons() -> list[str]:
    folder = Path.home() / ".pyenv/versions"
    names = ("2.7", "3.6", "3.8", "3.9")
    found = [str(path) for name in names for path in sorted(folder.glob(f"{name}.*/bin/python"))]
    return found or [path for name in names if (path := shutil.which(f"python{name}"))]


@posix
def test_the_gate_parses_on_any_python(root: Path, tmp_path: Path) -> None:
    gate = (root / "modules/bootstrap/__main__.py").read_text(encoding="utf-8")
    assert gate.isascii()
    tree = ast.parse(gate)
    modern = (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Match)
    assert not any(isinstance(node, modern) for node in ast.walk(tree))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    for python in old_pythons():
        done = start(clone(root, tmp_path), PYTHON=python)
        assert done.returncode == 1
        assert "too old" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_installer_needs_the_standard_library_alone(root: Path) -> None:
    strangers = []
    for path in sorted((root / "modules/bootstrap").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            known = sys.stdlib_module_names | {"__future__"}
            strangers += [
                f"{path.name}: {name}"
                for name in names
                if name.split(".")[0] not in known and not name.startswith("modules.bootstrap")
            ]
    assert not strangers
