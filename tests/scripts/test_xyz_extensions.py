"""Extensions add axes to the X/Y/Z plot."""

from __future__ import annotations


def test_an_extension_adds_an_axis(hosted) -> None:
    code = """
import gradio as gr
from modules import scripts

data = next(one for one in scripts.scripts_data if one.script_class.__module__ == "xyz_grid.py")
xyz = data.module
xyz.axis_options.append(xyz.AxisOption("Twice the steps", int, lambda p, x, xs: setattr(p, "steps", 2 * x)))
"""
    job = hosted(adds=code).draw(script=("X/Y/Z plot", ("Twice the steps", "1", [], *(0, "", []) * 2, False, True)))
    assert "Steps: 2," in job.result["images"][1]["infotext"]
