"""Runs an extension's install.py so that the studio's own packages keep their versions, and says what went wrong."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from modules.studio.extensions.mirrors import USUAL, Mirrors
from modules.terms.atomic import replacing

LIMIT_S = 900
LAST_LINES = 15
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
# What the message says -> what to do about it.
REMEDIES = (
    (r"ResolutionImpossible|conflicting dependencies|incompatible with", "It wants other versions of packages that the "
     "studio itself needs. Install it with a folder of packages of its own (the choice beside Install)."),
    (r"ProxyError|proxy", "The proxy refuses. Look at the variable HTTPS_PROXY, or name a mirror of pip's index in "
     "Settings, Extensions."),
    (r"ConnectionError|Name or service not known|timed out|Max retries|getaddrinfo", "The network did not answer. Name "
     "a mirror of pip's index in Settings, Extensions (for instance https://pypi.tuna.tsinghua.edu.cn/simple), or set "
     "HTTPS_PROXY, and start again: install.py runs anew."),
    (r"tensorflow", "TensorFlow has no package for this Python or system; the parts that need it stay off."),
    (r"Microsoft Visual C\+\+|error: command .*(gcc|cl\.exe|cc)|Failed building wheel", "A package has to be compiled, "
     "and there is no compiler. Look for a version of it with wheels for this Python."),
    (r"No matching distribution|Could not find a version", "A package has no version for this Python or system."),
    (r"No module named '?([\w.]+)", "A package is missing. Install it into the studio's environment."),
    (r"No space left|not enough space", "The disk is full."),
    (r"Permission denied|Access is denied", "Files may not be written there. Close other programs that use them."),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """done: whether it went well. lines: the last that it printed. remedy: what to do, "" if nothing is known."""

    done: bool
    lines: tuple[str, ...] = ()
    remedy: str = ""


def constraints(lock: Path) -> Iterator[str]:
    """`name==version` for every package of the lock file and of PyTorch that is installed, as it is installed."""
    names = (
        re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE) if lock.is_file() else []
    )
    for name in dict.fromkeys([*names, "torch", "torchvision", "triton", "setuptools"]):
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue
        if name in OPENCV:
            # All of them are one module, cv2: whichever comes last is the one that is imported.
            yield from (f"{other}=={version(name)}" for other in OPENCV if other != name)


def changed_packages(before: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Packages of `before` whose version is another now: name -> (before, now; "" if it is gone)."""
    now = installed_packages()
    return {name: (old, now.get(name, "")) for name, old in before.items() if now.get(name, "") != old}


def installed_packages() -> dict[str, str]:
    """Name -> version of every package that can be imported."""
    return {str(one.metadata["Name"]).lower(): one.version for one in distributions()}


def install_stamp(folder: Path) -> str:
    """Tells apart what install.py would do: its text, the lists of packages beside it, and the Python it is for."""
    digest = hashlib.sha256(sys.prefix.encode() + sys.version.encode())
    for path in [folder / "install.py", *sorted(folder.glob("*requirements*.txt"))]:
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def run_install(folder: Path, root: Path, packages: Path | None, limits: Path, mirrors: Mirrors = USUAL) -> Outcome:
    """Runs `folder`/install.py, if there is one, as a program of its own.

    root: the studio's code, which it may import. packages: where its packages go; None: beside the studio's own, which
    keep their versions by `limits`, a file that is written here. mirrors: where pip finds them.
    """
    if not (folder / "install.py").is_file():
        return Outcome(True)
    limits.parent.mkdir(parents=True, exist_ok=True)
    with replacing(limits) as draft:
        draft.write_text("\n".join(constraints(root / "requirements.lock")) + "\n", encoding="utf-8")
    env = {
        **os.environ,
        **mirrors.environment,
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "modules" / "a1111" / "top")]),
        "PIP_CONSTRAINT": str(limits),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
    if packages is not None:
        packages.mkdir(parents=True, exist_ok=True)
        env["PIP_TARGET"] = str(packages)
    try:
        done = subprocess.run(
            [sys.executable, "-u", str(folder / "install.py")],
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode("utf-8", errors="replace").splitlines()
        return Outcome(False, last(printed), f"install.py took longer than {LIMIT_S // 60} minutes and was stopped.")
    printed = done.stdout.decode("utf-8", errors="replace").splitlines()
    failed = done.returncode != 0 or any(line.startswith(("ERROR:", "Couldn't install")) for line in printed)
    return Outcome(not failed, last(printed), remedy_for(printed) if failed else "")


def remedy_for(lines: Iterable[str]) -> str:
    """What to do about the first thing in `lines` that is known."""
    text = "\n".join(lines)
    return next((remedy for pattern, remedy in REMEDIES if re.search(pattern, text, re.IGNORECASE)), "")


def last(lines: list[str]) -> tuple[str, ...]:
    return tuple(line[:400] for line in lines if line.strip())[-LAST_LINES:]
