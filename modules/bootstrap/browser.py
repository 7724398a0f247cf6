"""Chromium for the tests of the page: found, or installed where this is allowed without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")


def find(environ: Mapping[str, str]) -> str | None:
    """The path of a browser of Chromium's family; CHROMIUM in the environment names one."""
    candidates = (environ.get("CHROMIUM", ""), *NAMES)
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def ensure(environ: Mapping[str, str]) -> str:
    """Finds Chromium or installs it through apt-get. Returns a sentence: where it is, or how to get it.

    Installs only as root or where sudo asks for no password, and not with NO_SYSTEM_PACKAGES set.
    """
    if path := find(environ):
        return f"Chromium: {path}"
    without = "The tests that drive a browser will be skipped: there is no Chromium."
    if not shutil.which("apt-get"):
        return f"{without} Install it, or name one:  CHROMIUM=/path/to/chrome ./webui.sh test"
    if environ.get("NO_SYSTEM_PACKAGES"):
        return f"{without} NO_SYSTEM_PACKAGES is set, so it was not installed."
    rights = _administrator()
    if rights is None:
        return f"{without} To have them run:  sudo apt-get install chromium"
    quiet = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        done = subprocess.run([*rights, "apt-get", *step], env=quiet, stdout=subprocess.DEVNULL)
        if done.returncode:
            return f"{without} apt-get {step[0]} failed (see above)."
    return f"Chromium: {find(environ)}"


def _administrator() -> list[str] | None:
    """What to put before a command that needs root: nothing, sudo, or None where it cannot be had silently."""
    if not hasattr(os, "geteuid"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n"]
    return None
