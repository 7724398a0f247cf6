"""The example of docs/extensions.md, as it stands there: one of everything, registered, drawn with and seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from modules.diffusion.samplers import SAMPLERS
from modules.diffusion.schedules import SCHEDULES
from modules.generation import sampler_names
from modules.gui.extensions_part import with_panels
from modules.networks import kinds
from modules.sdapi.server import make_app
from tests.a1111.conftest import REQUEST, Hosted

DOCS = Path(__file__).parents[2] / "docs" / "extensions.md"


@pytest.fixture
def example(hosted: Callable[..., Hosted], tmp_path: Path) -> Iterator[Hosted]:
    """A studio with the example as its extension; afterwards the registries are as before."""
    folder = tmp_path / "extensions" / "Mine"
    folder.mkdir(parents=True)
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "atelier_extension.py").write_text(code, encoding="utf-8")
    before = dict(sampler_names.SAMPLERS), dict(sampler_names.SCHEDULES)
    yield hosted()
    for table, old in zip((sampler_names.SAMPLERS, sampler_names.SCHEDULES), before, strict=True):
        table.clear()
        table.update(old)
    for registry, name in ((SAMPLERS, "Half step"), (SCHEDULES, "Straight")):
        registry._entries.pop(name, None)
        registry._by_alias = {key: entry for key, entry in registry._by_alias.items() if entry.name != name}
    kinds._added.clear()


def pixels(job) -> np.ndarray:
    assert job.state == "done", job.error
    return np.asarray(Image.open(job.result["images"][0]["path"]).convert("RGB"))


def test_everything_that_the_example_adds_works(example: Hosted) -> None:
    studio = example.studio
    assert studio.extensions.failures("mine") == ()
    assert "Half step" in studio.listing("samplers")
    assert "Straight" in studio.listing("schedulers")

    # Its sampler is Euler's, so it draws what Euler draws; its schedule is another than the model's own.
    euler = pixels(example.draw(sampler="Euler"))
    np.testing.assert_array_equal(pixels(example.draw(sampler="Half step")), euler)
    other = example.draw(sampler="Half step", scheduler="Straight")
    assert not np.array_equal(pixels(other), euler)
    assert "Schedule type: Straight" in other.result["images"][0]["infotext"]

    assert "Mirror" in studio.listing("upscalers")
    assert any(kind.name == "constant" for kind in kinds.known_kinds())

    client = TestClient(make_app(studio))
    assert client.get("/extensions/Mine/hello").json() == {"hello": "world"}

    (tab,) = studio.additions.tabs
    (panel,) = studio.additions.panels
    with gr.Blocks():
        tab.build()
        (name,) = panel.build()
    asked = with_panels(studio, "txt2img", REQUEST, {f"panel.{panel.name}.{name}": 5})
    framed = example.draw(asked)
    assert pixels(framed).shape == (74, 74, 3)
    np.testing.assert_array_equal(pixels(framed)[5:-5, 5:-5], euler)
    assert "Frame: 5" in framed.result["images"][0]["infotext"]
    assert with_panels(studio, "img2img", REQUEST, {f"panel.{panel.name}.{name}": 5}) == REQUEST


def test_one_that_fails_is_named(hosted: Callable[..., Hosted], tmp_path: Path) -> None:
    for name, code in (("bad", "1 / 0"), ("worse", "def register(add):\n    add.sampler('Euler', None)\n")):
        (tmp_path / "extensions" / name).mkdir(parents=True)
        (tmp_path / "extensions" / name / "atelier_extension.py").write_text(code)
    studio = hosted()
    assert "ZeroDivisionError" in studio.studio.extensions.failures("bad")[0].sentence
    assert "already" in studio.studio.extensions.failures("worse")[0].sentence
    assert studio.draw().state == "done"
