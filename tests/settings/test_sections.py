"""Every setting is declared once, completely, and as A1111 1.10.1 has it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modules.settings.catalogue import Catalogue
from modules.settings.sections import SETTINGS
from modules.settings.setting import Section, section, setting
from modules.settings.values import accepted
from modules.terms.declare import Slider
from modules.terms.errors import NotFound

LARGE_PICTURES = {f"{what}_{part}" for what in ("diffusion", "vae") for part in ("tiling", "tile_size", "tile_overlap")}
MODELS = {"other_model_folders", "civitai_address", "hugging_face_address", "download_previews"}
EXTENSIONS = {"extension_index_address", "github_address", "package_index_address"}
DETAILS = {"ad_bbox_sortby", "ad_save_images_before"}  # the names that the ADetailer extension gave them
FLOW = {"forge_additional_modules", "flow_shift"}
KEEPING = {"model_offload", "models_kept"}
PAGE = {"family_defaults", "gallery_folders", "prompt_completion", "prompt_completion_comma"} | {
    "prompt_completion_escape",
    "prompt_completion_spaces",
}
OURS = {"language", "cfg_rescale"} | KEEPING | PAGE | FLOW | LARGE_PICTURES | DETAILS | MODELS | EXTENSIONS
# A1111's default lets whoever reaches the API make this machine fetch addresses: nothing is fetched until asked for.
SAFER = {"api_enable_requests": False}


def table_rows(text: str) -> dict[str, list[str]]:
    """key -> [label, default, control, infotext and flags, effect, section id] of the reference table."""
    rows, section_id = {}, ""
    for line in text.split("\n## Notes")[0].splitlines():
        if heading := re.match(r"### .+ — section id `([^`]*)`", line):
            section_id = heading[1]
        elif section_id and line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            rows[cells[0].split("`")[1]] = [*cells[1:], section_id]
    return rows


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, list[str]]:
    return table_rows((shared / "spec" / "settings.md").read_text(encoding="utf-8"))


def test_the_keys_are_those_of_a1111_and_ours(reference) -> None:
    assert set(SETTINGS) == set(reference) | OURS


def test_labels_sections_and_infotext_names_agree(reference) -> None:
    for key, (label, _, _, marks, _, section_id) in reference.items():
        one = SETTINGS[key]
        infotext = re.search(r"I: `([^`]+)`", marks)
        flags = re.sub(r"I: `[^`]+`", "", marks)
        assert one.label == label.replace("\\|", "|")
        assert one.section.id == section_id.replace("None", "")
        assert one.infotext == (infotext[1] if infotext else "")
        assert (one.reload, one.api_restricted) == ("R" in flags, "A" in flags), key


def test_defaults_agree(reference) -> None:
    for key, (_, written, *_) in reference.items():
        default = SETTINGS[key].default
        if key in SAFER:
            assert default == SAFER[key] and written == "`True`"
            continue
        shown = written.split("(")[0].strip(" `") if "console" in key else written.strip("`")
        if isinstance(default, tuple):
            assert shown == repr(list(default)), key
        else:
            assert shown in (repr(default), str(default)) or repr(default) in written, key


def test_every_default_is_a_value_that_its_control_allows() -> None:
    for one in SETTINGS.values():
        assert accepted(one, one.default) == one.default, one.key
        assert not isinstance(one.control, Slider) or one.control.minimum <= one.default <= one.control.maximum, one.key


def test_every_setting_has_a_label_and_a_sentence() -> None:
    for one in SETTINGS.values():
        assert one.label, one.key
        assert one.help.endswith((".", "...")), one.key


def test_pages_stand_by_category_then_by_name() -> None:
    labels = [page.label for page in SETTINGS.sections()]
    assert labels[:3] == ["Paths for saving", "Saving images/grids", "Saving to a directory"]
    assert labels.index("Compatibility") < labels.index("Stable Diffusion") < labels.index("img2img")
    assert labels[-3:] == ["Canvas Hotkeys", "Hypertile", "Interrogate"]
    assert "Hidden options" not in labels


def test_an_extension_adds_and_replaces_settings() -> None:
    added = section(Section("mine", "Mine"), setting("my_key", "My label", 3), setting("font", "Another font", "x"))
    larger = SETTINGS.extended(added)
    assert larger["my_key"].default == 3
    assert larger["font"].label == "Another font"
    assert len(larger) == len(SETTINGS) + 1
    assert "my_key" not in SETTINGS


def test_a_key_cannot_come_twice() -> None:
    with pytest.raises(ValueError, match="font"):
        Catalogue((setting("font", "a", ""), setting("font", "b", "")))


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="'samples_format'"):
        SETTINGS.find("sample_format")


def test_importing_needs_nothing_heavy() -> None:
    code = "import sys, modules.settings.store; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert not {"torch", "numpy", "PIL", "gradio", "pydantic"} & set(done.stdout.split())
