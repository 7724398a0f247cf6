"""Operations of the Extras tab that a setting names are done to pictures of txt2img and img2img."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TURNED = """
import gradio as gr
from modules import scripts_postprocessing

class Turned(scripts_postprocessing.ScriptPostprocessing):
    name = "Turned"

    def ui(self):
        return {"turned": gr.Checkbox(True, label="Turned")}

    def process(self, pp, turned):
        if turned:
            pp.image = pp.image.rotate(180)
            pp.info["Turned"] = "yes"
"""
NAMED = ["Upscale", "Create flipped copies", "Turned"]


def test_what_the_setting_names_is_done_to_each_picture(hosted, tmp_path: Path, pixels) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"postprocessing_enable_in_main_ui": NAMED}))
    studio = hosted(turned=TURNED)
    labels = [
        control["label"] for row in studio.host.rows() if row["name"] == "extras operations" for control in row["args"]
    ]
    assert labels[:2] == ["Upscale", "Scale by"]
    assert labels[-1] == "Turned"
    assert studio.studio.listing("postprocessing")[-1] == "Turned"
    values = (True, 2.0, "Nearest", "None", 0.0, False, ("Horizontal",))
    plain = pixels(studio.draw(scripts={"Extras operations": (False, 2.0, "None", "None", 0.0, False, (), False)}))
    whole = studio.draw(scripts={"Extras operations": (*values, True)})
    np.testing.assert_array_equal(pixels(whole), np.rot90(plain.repeat(2, 0).repeat(2, 1), 2))
    text = whole.result["images"][0]["infotext"]
    assert "Postprocess upscale by: 2.0, Postprocess upscaler: Nearest, Turned: yes" in text
    # An extension's part works with what its fields begin with.
    np.testing.assert_array_equal(pixels(studio.draw()), np.rot90(plain, 2))


def test_without_the_setting_there_is_nothing(hosted) -> None:
    assert "extras operations" not in {row["name"] for row in hosted(turned=TURNED).host.rows()}
