"""The private Python in venv/: where it is, whether it works, made or mended where it does not."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modules.bootstrap.failure import SetupError

MARK = ".atelier"  # this folder was made here, and may be made again
LOCK = ".atelier.lock"


@dataclass(frozen=True)
class Environment:
    """A folder with a Python. `private` is false for VENV_DIR=-, which means the Python that is running."""

    folder: Path
    python: Path
    private: bool = True

    @property
    def interpreter(self) -> str:
        """The program behind `python`: it changes when the system's Python is replaced under the environment."""
        return os.path.realpath(self.python)

    @property
    def packages(self) -> Path:
        """site-packages."""
        if not self.private:
            return Path(sysconfig.get_path("purelib"))
        return next(self.folder.glob("lib/python3*/site-packages"), self.folder / "Lib" / "site-packages")

    def names(self, *patterns: str) -> list[str]:
        """The installed packages whose names, as folders spell them, match one of `patterns`."""
        found = [path for pattern in patterns for path in self.packages.glob(f"{pattern}-*.dist-info")]
        return [path.name.split("-")[0] for path in found]

    def version_of(self, package: str) -> str:
        """The installed version of `package`, '' if it is not there."""
        found = next(self.packages.glob(f"{package}-*.dist-info"), None)
        return found.name[len(package) + 1 : -len(".dist-info")] if found else ""


def locate(root: Path, environ: Mapping[str, str]) -> Environment:
    """The environment that VENV_DIR names: venv/ in `root` without it."""
    named = environ.get("VENV_DIR", "").strip() or "venv"
    if named == "-":
        return Environment(root / "tmp", Path(sys.executable), private=False)
    folder = root / Path(named).expanduser()
    return Environment(folder, folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def ensure_usable(environment: Environment) -> None:
    """Makes the folder. Raises: SetupError where nothing can be written to it, or it holds something else."""
    folder = environment.folder
    step = "step 1: the private Python environment"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {entry.name for entry in folder.iterdir()} - {LOCK}
        (folder / LOCK).touch()
    except OSError as problem:
        reason = "the file system is read-only" if problem.errno == errno.EROFS else problem.strerror
        raise SetupError(
            f"{folder} cannot be written to: {reason}.",
            "put the environment where you may write:  VENV_DIR=~/atelier-venv ./webui.sh",
            step,
        ) from problem
    if not present:
        (folder / MARK).touch()  # before anything else: a start killed early must still know the folder as its own
    elif environment.private and not present & {MARK, "pyvenv.cfg"}:
        (folder / LOCK).unlink()
        raise SetupError(
            f"{folder} is a folder with other things in it ({', '.join(sorted(present)[:3])} …).",
            "name another folder for the environment:  VENV_DIR=~/atelier-venv ./webui.sh",
            step,
        )


def ensure_working(environment: Environment, uv: str | None) -> str:
    """Makes the environment, or mends a broken one. Returns what was done, '' if nothing.

    Raises: SetupError if Python cannot make environments here, or somebody else's environment is broken.
    """
    if not environment.private:
        return ""
    if _works(environment):
        _drop_half_installed(environment.packages)
        return ""
    if not (environment.folder / MARK).exists():
        raise SetupError(
            f"{environment.folder} holds an environment that was not made here and cannot be used (is pip in it?).",
            "mend it, or name another folder:  VENV_DIR=~/atelier-venv ./webui.sh",
        )
    remains = [entry for entry in environment.folder.iterdir() if entry.name not in (MARK, LOCK)]
    for entry in remains:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    _make(environment, uv)
    return "Made again: the old one did not work." if remains else "Made."


def _works(environment: Environment) -> bool:
    """Whether the environment's Python is there and runs, is the version it was made with, and has pip."""
    configuration = environment.folder / "pyvenv.cfg"
    if not configuration.exists():
        return False
    code = "import pip, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([environment.python, "-I", "-c", code], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    made_with = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", configuration.read_text(), re.M)
    return done.returncode == 0 and made_with is not None and done.stdout.strip() == made_with[1]


def _make(environment: Environment, uv: str | None) -> None:
    base = getattr(sys, "_base_executable", None) or sys.executable
    if importlib.util.find_spec("ensurepip"):
        command = [base, "-m", "venv", str(environment.folder)]
    elif uv:
        command = [uv, "venv", "--quiet", "--seed", "--allow-existing", "--python", base, str(environment.folder)]
    else:
        raise SetupError(f"{base} has no venv module to make an environment with.", _venv_advice())
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(f"{' '.join(command)} failed: {last}", _venv_advice())


def _venv_advice() -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if Path("/etc/debian_version").exists():
        return f"sudo apt install python{version}-venv"
    return f"install the venv module for Python {version}, or another Python:  PYTHON=/path/to/python3 ./webui.sh"


def _drop_half_installed(packages: Path) -> None:
    """Forgets packages whose installation was killed, so that pip puts them in again.

    pip and uv write INSTALLER after a package's own files, and RECORD last.
    """
    for entry in packages.glob("*.dist-info"):
        if not (entry / "INSTALLER").exists() or not (entry / "RECORD").exists():
            shutil.rmtree(entry)
    for entry in packages.glob("~*"):  # what pip was about to replace
        shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other start is installing into `folder` (POSIX; Windows has no such lock in the library)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.stdout.write("Another start is installing into this folder; waiting for it.\n")
            sys.stdout.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
