"""What install.py files of extensions call. Works without a studio: they run in a process of their own."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import re
import shlex
import subprocess
import sys

python = sys.executable
git = os.environ.get("GIT", "git")
index_url = os.environ.get("INDEX_URL", "")
script_path = os.environ.get("PYTHONPATH", os.getcwd()).split(os.pathsep)[0]
args = argparse.Namespace(
    skip_install=False,
    skip_torch_cuda_test=True,
    skip_python_version_check=True,
    skip_version_check=True,
    reinstall_xformers=False,
    reinstall_torch=False,
    update_check=False,
    test_server=False,
    skip_prepare_environment=True,
    update_all_extensions=False,
    ui_settings_file="config.json",
    disable_all_extensions=False,
)


def run(command, desc=None, errdesc=None, custom_env=None, live=True):
    """What the command says. Raises: RuntimeError with its last lines if it fails."""
    if desc is not None:
        print(desc)
    words = command if isinstance(command, list) else shlex.split(command)
    done = subprocess.run(
        words, env=custom_env or os.environ, capture_output=not live, encoding="utf8", errors="ignore", check=False
    )
    if done.returncode != 0:
        said = f"\n{(done.stdout or '')[-2000:]}\n{(done.stderr or '')[-2000:]}"
        raise RuntimeError(
            f"{errdesc or 'Error running command'}.\nCommand: {command}\nError code: {done.returncode}{said}"
        )
    return done.stdout or ""


def is_installed(package):
    """Whether a package, by its name or that of its module, is there."""
    name = re.split(r"[<>=!~\[; ]", package.strip(), maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        try:
            return importlib.util.find_spec(name) is not None
        except (ModuleNotFoundError, ValueError):
            return False
    return True


def run_pip(command, desc=None, live=False):
    """pip with the words of `command`; what pip is told by PIP_CONSTRAINT and its like holds."""
    if args.skip_install:
        return None
    index = ["--index-url", index_url] if index_url else []
    words = [python, "-m", "pip", *shlex.split(command), "--prefer-binary", *index]
    return run(words, desc=f"Installing {desc}", errdesc=f"Couldn't install {desc}", live=live)


def check_run_python(code):
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def requirements_met(requirements_file):
    """Whether every line `name==version` of the file is installed so."""
    from packaging.requirements import InvalidRequirement, Requirement

    with open(requirements_file, encoding="utf8") as file:
        for line in file:
            text = line.split("#", 1)[0].strip()
            if not text:
                continue
            try:
                wanted = Requirement(text)
                if not wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True):
                    return False
            except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
                return False
    return True


def git_clone(url, dir, name, commithash=None):
    """The repository at `url` in `dir`, at that commit."""
    if not os.path.exists(dir):
        run([git, "clone", "--config", "core.filemode=false", url, dir], f"Cloning {name} into {dir}...")
    if commithash is not None:
        run([git, "-C", dir, "checkout", commithash], None, f"Couldn't checkout commit {commithash} for {name}")


def commit_hash():
    """The studio's commit; "<none>" outside of git."""
    return _git("rev-parse", "HEAD")


def git_tag():
    """The version of A1111 that extensions can count on."""
    return "v1.10.1"


def _git(*words):
    done = subprocess.run(
        [git, *words], capture_output=True, encoding="utf8", check=False, cwd=os.path.dirname(__file__)
    )
    return done.stdout.strip() or "<none>"


def prepare_environment():
    """Packages are kept by the studio's own start script."""


def list_extensions(settings_file):
    from modules import extensions

    return [one.name for one in extensions.active()]
