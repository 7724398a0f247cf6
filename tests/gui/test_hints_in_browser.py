"""What a field does is said when the pointer rests on it."""

from __future__ import annotations

import pytest

from modules.gui.i18n import for_scripts
from tests.gui.stand_in import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_every_hint_has_its_field_and_is_said_there(page, studio: StandIn) -> None:
    page.hover("#txt2img_cfg_scale")
    assert page.get_attribute("#txt2img_cfg_scale", "title").startswith("How closely the picture follows the prompt.")
    ids = {one["props"].get("elem_id") for one in page.evaluate("window.gradio_config.components")}
    tabs = ("txt2img", "img2img", "extras", "modelmerger")
    fields = {name.removeprefix("hint.") for name in for_scripts("en") if name.startswith("hint.")}
    assert {one for one in fields if not ids & {one, *(f"{tab}_{one}" for tab in tabs)}} == set()
