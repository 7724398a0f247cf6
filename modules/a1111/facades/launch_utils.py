"""What install.py and preload.py of extensions import as `launch`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shlex
import subprocess
import sys

from modules.a1111.missing import refusing
from modules.terms.errors import WebuiError

python = sys.executable
git = os.environ.get("GIT", "git")
index_url = os.environ.get("INDEX_URL", "")
default_command_live = os.environ.get("WEBUI_LAUNCH_LIVE_OUTPUT") == "1"
__getattr_missing = refusing("launch")


def __getattr__(name):
    if name == "args":
        from modules import shared

        return shared.cmd_opts
    if name in ("script_path", "extensions_dir", "data_path"):
        from modules import paths_internal

        return getattr(paths_internal, name)
    return __getattr_missing(name)


def git_tag():
    from modules.a1111.bound import bound

    # Extensions compare it with A1111's versions: this is the one whose interface is offered.
    return "v1.10.1" if bound().studio else "<none>"


def commit_hash():
    return "<none>"


def check_python_version():
    """The start script has looked."""


def is_installed(package):
    try:
        dist = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        try:
            return importlib.util.find_spec(package) is not None
        except (ModuleNotFoundError, ValueError):
            return False
    return dist is not None


def run(command, desc=None, errdesc=None, custom_env=None, live=default_command_live):
    """What a shell command printed. Raises: RuntimeError with the end of its output if it failed."""
    if desc is not None:
        print(desc)  # noqa: T201 - read by whoever runs install.py
    result = subprocess.run(
        command, shell=True, capture_output=not live, text=True, env=custom_env or os.environ, check=False
    )
    if result.returncode:
        said = "\n".join((result.stdout or "", result.stderr or "")).strip()
        raise RuntimeError(f"{errdesc or 'Error running command'}.\nCommand: {command}\n{said[-2000:]}")
    return result.stdout or ""


def run_pip(command, desc=None, live=default_command_live):
    """Refuses while the studio runs: packages are installed by an extension's install.py, under the studio's lock."""
    raise WebuiError(
        f"An extension wanted to install packages ({shlex.split(command)[1:4]}) while the studio runs. "
        "Install it in the Extensions tab, where that is done before it is used."
    )
