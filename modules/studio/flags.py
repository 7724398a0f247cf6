"""Text -> `Flags`: the arguments, then COMMANDLINE_ARGS, as A1111 reads them. argparse only, nothing heavy."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from modules.studio.flag_table import Flags

__all__ = ["Flags", "FlagParser", "parse_flags"]

FIELDS = {entry.name: entry for entry in dataclasses.fields(Flags) if "not_a_flag" not in entry.metadata}
# A command line is seen by everybody on the machine; the environment is not.
TOKEN_VARIABLE = "ATELIER_API_TOKEN"
CONVERTERS: dict[str, Callable[[str], Any]] = {"int": int, "str": str, "Path": Path, "Mapping": json.loads}


class FlagParser(argparse.ArgumentParser):
    """argparse whose complaint names the nearest flag. Extensions add flags to it in their `preload(parser)`."""

    def __init__(self) -> None:
        # A1111 allows abbreviations (--lyco-dir for --lyco-dir-backcompat), and start files rely on it.
        # An extension may declare a flag that is built in here, as ControlNet's does; its declaration wins.
        super().__init__(
            prog="webui.sh", allow_abbrev=True, argument_default=argparse.SUPPRESS, conflict_handler="resolve"
        )
        self.add_argument("-f", dest="_as_root", action="store_true", help=argparse.SUPPRESS)
        for entry in FIELDS.values():
            self._add_field(entry)

    def _add_field(self, entry: dataclasses.Field[Any]) -> None:
        flag, facts = spelled(entry.name), entry.metadata
        about = argparse.SUPPRESS if facts["obsolete"] else facts["about"].replace("%", "%%")
        kind = str(entry.type).split(" ")[0].split("[")[0]
        if kind == "bool":
            self.add_argument(flag, action="store_true", help=about)
        elif kind == "tuple" and facts.get("many"):
            self.add_argument(flag, nargs="+", type=str.lower, help=about, metavar="PART")
        elif kind == "tuple":
            self.add_argument(flag, action="append", help=about, metavar="PATH")
        else:
            metavar = {"int": "N", "Path": "PATH", "Mapping": "JSON"}.get(kind, "TEXT")
            choices = facts.get("choices")
            given: dict[str, Any] = {"choices": choices} if choices else {"metavar": metavar}
            self.add_argument(flag, type=CONVERTERS[kind], help=about, **given)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}\nSee every flag with --help.\n")

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """Ends the program with status 2 and the nearest name of the first flag that nobody declared."""
        first = next((word for word in unknown if word.startswith("-")), unknown[0]).split("=")[0]
        near = difflib.get_close_matches(first, self._option_string_actions, n=1, cutoff=0.5)
        self.error(f"there is no flag {first}." + (f" Did you mean {near[0]}?" if near else ""))


def spelled(name: str) -> str:
    """The flag of a field: `no_half` -> `--no-half`."""
    return "--" + name.replace("_", "-")


def words_of(text: str, windows: bool = os.name == "nt") -> list[str]:
    """COMMANDLINE_ARGS as a shell would split it; on Windows backslashes are part of paths, not escapes."""
    return shlex.split(text.replace("\\", "\\\\") if windows else text)


def parse_flags(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    preloads: Iterable[Callable[[argparse.ArgumentParser], object]] = (),
) -> Flags:
    """The flags of `argv` (the program's own without it) followed by those of COMMANDLINE_ARGS.

    `preloads` are the `preload(parser)` functions of extensions; what they declare arrives in `Flags.extra`.
    Obsolete flags are named on stderr, one line each. Unknown ones end the program with status 2, unless
    IGNORE_CMD_ARGS_ERRORS is set. Raises: SystemExit, with a sentence on stderr, for whatever cannot be honoured.
    """
    environ = os.environ if environ is None else environ
    parser = FlagParser()
    for preload in preloads:
        preload(parser)
    words = list(sys.argv[1:] if argv is None else argv)
    if "--test-server" not in words:
        try:
            words += words_of(environ.get("COMMANDLINE_ARGS", ""))
        except ValueError as problem:
            parser.error(f"COMMANDLINE_ARGS cannot be read ({problem}): {environ['COMMANDLINE_ARGS']}")
    given, unknown = parser.parse_known_args(words)
    if unknown:
        if "IGNORE_CMD_ARGS_ERRORS" not in environ:
            parser.refuse_unknown(unknown)
        _say(f"Ignored, since IGNORE_CMD_ARGS_ERRORS is set: {shlex.join(unknown)}")
    # Any: argparse has converted each value to the type of its field.
    values: dict[str, Any] = {name: v for name, v in vars(given).items() if name in FIELDS}
    values |= {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    values |= {name: Path(v) for name, v in values.items() if isinstance(v, str) and "Path" in str(FIELDS[name].type)}
    for name in values:
        if why := FIELDS[name].metadata["obsolete"]:
            _say(f"{spelled(name)} does nothing: {why}")
        if FIELDS[name].metadata["pending"]:
            _say(f"{spelled(name)} has no effect yet.")
    if not values.get("api_token") and environ.get(TOKEN_VARIABLE):
        values["api_token"] = environ[TOKEN_VARIABLE]
    # argparse's own default for flags of extensions is None; this parser's is to leave out what was not given.
    defaults = {one.dest: None if one.default is argparse.SUPPRESS else one.default for one in parser._actions}
    extra = {
        name: v
        for name, v in (defaults | vars(given)).items()
        if name not in FIELDS and not name.startswith("_") and name != "help"
    }
    flags = _with_consequences(Flags(**values, extra=extra))
    contradiction = _contradiction(flags)
    if contradiction:
        parser.error(contradiction)
    return flags


def flags_known_so_far(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Flags:
    """The flags as far as they can be read before extensions have declared theirs; nothing is complained about."""
    words = list(sys.argv[1:] if argv is None else argv)
    with contextlib.suppress(ValueError):
        words += words_of(environ.get("COMMANDLINE_ARGS", ""))
    if {"-h", "--help"} & set(words):
        words = [word for word in words if word not in ("-h", "--help")]
    parser = _Silent()
    try:
        given, _ = parser.parse_known_args(words)
    except (ValueError, argparse.ArgumentError):
        given = argparse.Namespace()
    values: dict[str, Any] = {name: v for name, v in vars(given).items() if name in FIELDS}
    values |= {name: Path(v) for name, v in values.items() if isinstance(v, str) and "Path" in str(FIELDS[name].type)}
    values |= {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
    return Flags(**values)


class _Silent(FlagParser):
    """Leaves complaints to whoever reads the flags for good."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _with_consequences(flags: Flags) -> Flags:
    """`flags` with those that another one brings along."""
    if flags.test_server:
        flags = dataclasses.replace(flags, api=True, disable_nan_check=True)
    if flags.safe_mode:
        flags = dataclasses.replace(flags, disable_all_extensions=True)
    return flags


def _contradiction(flags: Flags) -> str:
    """Why these flags cannot be honoured together; '' if they can."""
    if flags.port is not None and not 0 <= flags.port <= 65535:
        return f"--port {flags.port} is no port: choose one from 1024 to 65535."
    if (flags.tls_keyfile is None) != (flags.tls_certfile is None):
        return "TLS needs both files: --tls-keyfile and --tls-certfile."
    try:
        tokens = flags.api_tokens
        locked = (flags.api_logins or tokens) if flags.nowebui else flags.page_logins
    except ValueError as problem:
        return str(problem)
    except OSError as problem:
        return f"--gradio-auth-path {flags.gradio_auth_path} cannot be read: {problem.strerror}."
    if flags.is_public and not locked and not flags.listen_without_auth:
        needed = "--api-auth" if flags.nowebui else "--gradio-auth"
        return (
            "other machines could use this studio without a password. "
            f"Give one with {needed} name:password, or say --listen-without-auth if that is what you want."
        )
    return ""


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
