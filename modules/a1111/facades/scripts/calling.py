"""Code of extensions is called so that what it raises is told and passed over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from modules.scripts.script import Script

from modules.a1111.bound import bound


def wrap_call(func: Callable[..., Any], filename: str, funcname: str, *args: Any, default: Any = None, **kwargs: Any):
    """What `func` returns; `default` if it fails, which is reported."""
    extensions = bound().studio.extensions
    name = extensions.name_of(filename)
    try:
        with extensions.starts.calling(name) if funcname == "ui" else nullcontext():
            return func(*args, **kwargs)
    except (Exception, SystemExit) as error:
        extensions.failed(name, f"{Path(filename).name}: {funcname}", error)
    return default


def call_hook(script: Script, method: str, *args: Any, **kwargs: Any) -> None:
    """Calls a script's hook. One that fails is reported, and its extension sits out the rest of the job."""
    extensions, work = bound().studio.extensions, bound().work
    name, what = extensions.name_of(script.filename), f"{Path(script.filename).name}: {method}"
    # What tidies up is called whatever went before it.
    if work is not None and name in work.broken and method != "postprocess":
        return
    try:
        getattr(script, method)(*args, **kwargs)
    except (Exception, SystemExit) as error:
        extensions.failed(name, what, error)
        if work is not None:
            work.broke(name, what, error)
