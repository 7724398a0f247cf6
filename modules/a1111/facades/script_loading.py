"""Loading Python files by path."""

from __future__ import annotations

import importlib.util

from modules import errors
from modules.a1111.loading import load_module  # noqa: F401 - the name is the module
from modules.a1111.missing import refusing

loaded_scripts: dict = {}
__getattr__ = refusing("modules.script_loading")


def preload_extensions(extensions_dir, parser, extension_list=None):
    """Preloads were run before the flags were read."""


def load_file(path):
    spec = importlib.util.spec_from_file_location("file", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception:
        errors.report(f"Error loading {path}", exc_info=True)
        raise
    return module
