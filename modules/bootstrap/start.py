"""A start from the first line to the hand-over: at once where the stamp fits, through the installation where not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from modules.bootstrap import environment, machine, stamp
from modules.bootstrap.environment import Environment
from modules.bootstrap.failure import SetupError
from modules.bootstrap.stamp import Stamp

ROOT = Path(__file__).resolve().parents[2]
OF_THE_USER = ("COMMANDLINE_ARGS", "IGNORE_CMD_ARGS_ERRORS", "SD_WEBUI_RESTART", "SD_WEBUI_RESTARTING")  # not for tests


def main(arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None) -> int:
    """Prepares the environment, then becomes webui.py, or pytest for `test`. Returns an exit status if it cannot."""
    environ = dict(os.environ if environ is None else environ)
    testing = bool(arguments) and arguments[0] == "test"
    words = [*arguments, *environ.get("COMMANDLINE_ARGS", "").split()]
    env = environment.locate(root, environ)
    try:
        known = stamp.read(env.folder)
        if not {"--skip-install", "--skip-prepare-environment"} & set(words):
            known = prepared(env, known, root, environ, testing, renew_torch="--reinstall-torch" in words)
    except SetupError as problem:
        sys.stderr.write(f"\n{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. What is there is kept; the next start goes on from here.\n")
        return 130
    for remark in known.remarks if known else ():
        sys.stdout.write(f"Note: {remark}\n")
    if testing:
        for name in OF_THE_USER:
            environ.pop(name, None)
        environ.setdefault("OMP_NUM_THREADS", "1")  # with several processes on few cores, threads of each fight
        return hand_over(env, ["-m", "pytest", *(arguments[1:] or at_once())], root, environ)
    return hand_over(env, ["webui.py", *arguments], root, environ)


def at_once() -> list[str]:
    """Options of pytest for the whole suite: one process per core, each with whole files; a process takes 2 GB."""
    return ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile"]


def prepared(
    env: Environment, known: Stamp | None, root: Path, environ: Mapping[str, str], testing: bool, renew_torch: bool
) -> Stamp:
    """The stamp of a finished installation: `known` if it fits, else that of one made now. Raises: SetupError."""
    wanted = Stamp(stamp.fingerprint(root), machine.signature(), env.interpreter, "", stamp.choice(environ))
    if known and known.fits(wanted) and env.python.exists() and not renew_torch and (known.tests or not testing):
        return known
    from modules.bootstrap.install import install  # only now: it brings subprocess, urllib and threads along

    return install(env, wanted, root, environ, testing, renew_torch)


def hand_over(env: Environment, command: Sequence[str], root: Path, environ: Mapping[str, str]) -> int:
    """Becomes the environment's Python running `command` in `root`; on Windows waits for it and returns its status."""
    sys.stdout.flush()
    os.chdir(root)
    program = str(env.python)
    if os.name != "nt":
        os.execve(program, [program, *command], dict(environ))
    import subprocess

    # Windows has no exec: a new process would leave the terminal to the old one's parent.
    process = subprocess.Popen([program, *command], env=dict(environ))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # it received the same Ctrl-C and decides itself
