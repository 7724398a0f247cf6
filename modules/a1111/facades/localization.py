"""Translations of the page, localizations/*.json, merged by file name."""

from __future__ import annotations

import json

from modules.a1111.bound import bound
from modules.a1111.page.localizations import files_of, texts

localizations: dict = {}


def list_localizations(dirname):
    localizations.clear()
    localizations.update({name: [str(path) for path in paths] for name, paths in files_of().items()})


def localization_js(current_localization_name):
    return f"window.localization = {json.dumps(texts(current_localization_name or bound().settings['localization']))}"
