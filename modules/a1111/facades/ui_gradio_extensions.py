"""The scripts and style sheets of the page."""

from __future__ import annotations

import os

from modules import scripts
from modules.a1111.missing import refusing

__getattr__ = refusing("modules.ui_gradio_extensions")


def webpath(fn):
    """The address under which the page finds a file."""
    return f"file={os.path.abspath(fn).replace(os.sep, '/')}?{os.path.getmtime(fn)}"


def javascript_html():
    files = [*scripts.list_scripts("javascript", ".js"), *scripts.list_scripts("javascript", ".mjs")]
    return "".join(f'<script type="text/javascript" src="{webpath(one.path)}"></script>\n' for one in files)


def css_html():
    return "".join(
        f'<link rel="stylesheet" property="stylesheet" href="{webpath(path)}">'
        for path in scripts.list_files_with_name("style.css")
    )
