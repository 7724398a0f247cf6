"""A studio in a process of its own, to be killed: draws what waits, and the plot if it is asked for one.

usage: plot_runner.py <data folder> [plot]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from modules.a1111.host import install  # noqa: E402 - the path comes first
from modules.studio.flags import parse_flags  # noqa: E402
from modules.studio.studio import Studio  # noqa: E402
from modules.terms.request import GenerationRequest  # noqa: E402

PLOT = {"X type": "Steps", "X values": "1,2,3", "Y type": "Seed", "Y values": "7,8"}


def main(data: str, *what: str) -> None:
    folder = str(ROOT / "models" / "Stable-diffusion")
    studio = Studio(parse_flags(["--data-dir", data, "--ckpt-dir", folder], environ={}))
    host = install(studio)
    host.load()
    host.build_without_page()
    studio.start()
    if what:
        from modules import scripts

        runner = scripts.scripts_txt2img
        plot = runner.script("x/y/z plot")
        controls = runner.inputs[plot.args_from : plot.args_to]
        labels = [name for name, _ in plot.controls[0].choices]

        def value(control: Any) -> Any:
            if control.label.endswith(" type"):
                return labels.index(PLOT.get(control.label, "Nothing"))
            if control.label.endswith(" values") and control.get_block_name() == "textbox":
                return PLOT.get(control.label, "")
            return control.value

        asked = tuple(value(control) for control in controls)
        request = GenerationRequest(prompt="a red circle", width=64, height=64, seed=7)
        studio.submit(request.with_(script=(plot.title(), asked)))
    while studio.jobs.active():
        time.sleep(0.05)
    studio.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
