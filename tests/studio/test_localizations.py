"""Where translations made for A1111 are found."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from modules.studio.flags import parse_flags
from modules.studio.localizations import localization, localization_files, localization_folders


def test_the_flag_names_a_folder_and_the_data_go_before_it(tmp_path: Path) -> None:
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    for folder, words in ((elsewhere, {"Seed": "Samen", "Steps": "Schritte"}), (data / "localizations", {"Seed": "S"})):
        folder.mkdir(parents=True)
        (folder / "de.json").write_text(json.dumps(words), encoding="utf-8")
    flags = parse_flags(["--data-dir", str(data), "--localizations-dir", str(elsewhere)], environ={})
    folders = localization_folders(SimpleNamespace(flags=flags, extensions=SimpleNamespace(active=list)))
    assert list(localization_files(folders)) == ["de"]
    assert localization("de", folders) == {"Seed": "S", "Steps": "Schritte"}
