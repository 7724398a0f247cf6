"""pip or uv, with their output in sight, and their failures in words."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from modules.bootstrap.failure import SetupError

ROOM_FOR_DOWNLOADS_GB = 4.0

# In this order: a lost connection is also reported as "no matching distribution", at the end.
REASONS = (
    ("disk", r"No space left on device|Errno 28|os error 28|WinError 112"),
    (
        "network",
        r"Name or service not known|name resolution|getaddrinfo|NewConnectionError|Connection refused|timed? ?out"
        r"|Max retries exceeded|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED|Network is unreachable|dns error"
        r"|ReadTimeout|error sending request|Connection reset",
    ),
    ("permission", r"Permission denied|Read-only file system|WinError 5\b|externally-managed-environment"),
    ("versions", r"ResolutionImpossible|No matching distribution|No solution found|conflicting dependencies"),
)


class Unresolvable(SetupError):
    """The versions asked for do not exist here, or not together."""


class Packages:
    """Installs into the environment of `python`, with `uv` where it is present and sees the same sources as pip."""

    def __init__(self, python: Path, environ: Mapping[str, str], room: Path, uv: str | None = None) -> None:
        self.python = str(python)
        self.index = environ.get("INDEX_URL", "").strip()
        self.environ = {**environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        # Downloads of gigabytes go through the temporary folder, which is often a small part of memory.
        if shutil.disk_usage(tempfile.gettempdir()).free < ROOM_FOR_DOWNLOADS_GB * 1e9:
            self.environ["TMPDIR"] = str(room)
        self.uv = uv if uv and not self._pip_is_configured() else None

    def install(self, *arguments: str, index: str = "") -> None:
        """Installs `arguments` (as for `pip install`); packages at `index` go before those elsewhere.

        Raises: Unresolvable, or SetupError for every other reason.
        """
        sources = ["--index-url", self.index] if self.index else []
        sources += ["--extra-index-url", index] if index else []
        if self.uv:
            command = [self.uv, "pip", "install", "--python", self.python, "--index-strategy", "unsafe-best-match"]
        else:
            command = [self.python, "-m", "pip", "install"]
        self._run([*command, *sources, *arguments])

    def run_module(self, command: str) -> None:
        """Runs the user's own command, 'pip install …', as a module of the environment's Python."""
        self._run([self.python, "-m", *shlex.split(command)])

    def uninstall(self, *names: str) -> None:
        self._run([self.python, "-m", "pip", "uninstall", "--yes", "--quiet", *names])

    def _pip_is_configured(self) -> bool:
        """Whether pip was told where packages come from: uv reads neither pip's files nor its variables."""
        done = subprocess.run(
            [self.python, "-m", "pip", "config", "list"], capture_output=True, text=True, env=self.environ
        )
        return bool(
            re.search(r"\.(index-url|extra-index-url|find-links|no-index|cert|proxy|trusted-host)=", done.stdout)
        )

    def _run(self, command: Sequence[str]) -> None:
        """Runs `command` with its output in sight. Raises: SetupError made of what it complained about."""
        complaints: list[str] = []
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=self.environ) as process:
            reader = threading.Thread(target=_pass_on, args=(process, complaints))
            reader.start()
            try:
                process.wait()
            except KeyboardInterrupt:
                process.wait()  # it received the same Ctrl-C and is tidying up
                raise
            finally:
                reader.join()
        if process.returncode:
            raise explained("".join(complaints), command)


def _pass_on(process: subprocess.Popen[bytes], complaints: list[str]) -> None:
    """Shows the process's stderr as it comes and keeps a copy."""
    assert process.stderr is not None  # opened with a pipe
    while chunk := os.read(process.stderr.fileno(), 4096):
        text = chunk.decode(errors="replace")
        complaints.append(text)
        sys.stderr.write(text)
        sys.stderr.flush()


def explained(complaints: str, command: Sequence[str]) -> SetupError:
    """The error for what pip or uv said when it failed."""
    found = ((name, re.search(pattern, complaints, re.IGNORECASE)) for name, pattern in REASONS)
    kind, met = next(((name, match[0]) for name, match in found if match), ("", ""))
    lines = [line for line in complaints.strip().splitlines() if line.strip()]
    errors = (
        [line for line in lines if re.match(r"\s*(ERROR|error|×|  ×)", line)] or lines[-1:] or ["it gave no reason"]
    )
    if kind == "disk":
        return SetupError("the disk is full.", "free some space and start again; what was downloaded is kept.")
    if kind == "network":
        return SetupError(
            f"the package registry cannot be reached ({met}).",
            "check the network or the proxy (HTTPS_PROXY) and start again; what was downloaded is kept.\n"
            "       A mirror near you:  INDEX_URL=https://mirror.example/simple ./webui.sh",
        )
    if kind == "permission":
        return SetupError(
            f"a folder cannot be written to: {errors[-1].strip()}",
            "put the environment where you may write:  VENV_DIR=~/atelier-venv ./webui.sh",
        )
    if kind == "versions":
        return Unresolvable(
            f"no fitting versions were found: {errors[0].strip()}",
            "if you use a mirror, it may lack them; try  INDEX_URL=https://pypi.org/simple ./webui.sh",
        )
    return SetupError(
        f"{shlex.join(command)} ended with an error: {errors[-1].strip()}",
        "read what stands above, and start again; what was installed is kept.",
    )


def reachable(index: str, seconds: float = 5.0) -> bool:
    """Whether a package index answers within `seconds`, name look-up included. What is not http(s) counts as such."""
    if not index.startswith("http"):
        return True
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(index.rstrip("/") + "/torch/", timeout=seconds) as answer:
                answers.append(answer.status == 200)
        except (OSError, ValueError, urllib.error.URLError):
            answers.append(False)

    # A thread, because a name look-up knows no timeout.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return bool(answers and answers[0])
