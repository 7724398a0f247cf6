"""The page and jobs with an extension that reaches for what popular ones ask of A1111 beside scripts and tabs."""

from __future__ import annotations

import base64
import io
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageOps

from modules.a1111.bound import Work, bound
from modules.a1111.host import install, stand_for_folders
from modules.a1111.page.script_values import named, runner_of
from modules.sdapi.server import guarded, make_app
from modules.settings.setting import Category
from modules.studio.extensions.preload import preloads
from modules.studio.flags import flags_known_so_far, parse_flags
from modules.studio.studio import Studio
from modules.terms.extras import ExtrasPicture, ExtrasRequest
from tests.a1111.conftest import REQUEST, ROOT, forget_facades

WIDE = Path(__file__).parent / "extensions" / "wide"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A studio with the extension, started as webui.py starts it: studio, host, demo, app, module."""
    from modules.gui.page import mount

    data = tmp_path_factory.mktemp("wide")
    shutil.copytree(WIDE, data / "extensions" / "wide")
    arguments = ["--data-dir", str(data), "--ckpt-dir", str(ROOT / "models" / "Stable-diffusion")]
    stand_for_folders(flags_known_so_far(arguments, {}))
    studio = Studio(parse_flags(arguments, preloads=preloads(arguments, {})))
    host = install(studio)
    host.load()
    app = make_app(studio)
    demo = mount(app, studio)
    host.app_started(demo, app)
    studio.start()
    yield SimpleNamespace(
        studio=studio, host=host, demo=demo, app=app, data=data, module=sys.modules["wide.py"], client=TestClient(app)
    )
    studio.close()
    forget_facades()


def component(wide: Any, elem_id: str) -> Any:
    return next(block for block in wide.demo.blocks.values() if block.elem_id == elem_id)


def ended(studio: Studio, job: Any) -> Any:
    while not studio.jobs.get(job.id).is_final:
        time.sleep(0.02)
    return studio.jobs.get(job.id)


def test_it_loads_whole(wide: Any) -> None:
    assert [failure.sentence for failure in wide.studio.extensions.failures("wide")] == []
    assert wide.studio.flags.extra["wide_dir"] == str(wide.studio.flags.models_dir / "Wide")
    assert wide.module.UI_CONFIG == {}
    assert wide.module.KNOWS == {"wide_dir": True, "ckpt_dir": True, "no_such_flag": False}
    assert wide.module.PARSED.wide_dir == wide.studio.flags.extra["wide_dir"]
    assert wide.module.shared.gradio_theme.wide == "written"
    assert wide.module.EMBEDDINGS.__name__ == "EmbeddingDatabase"


def test_a_file_imported_by_name_is_a_module_of_its_own(wide: Any) -> None:
    # As in A1111: two extensions with a scripts/api.py do not get each other's.
    assert wide.module.COUNT == [42]
    assert sys.modules["helpers.py"].COUNT == []


def test_categories_of_settings_may_be_made_up(wide: Any) -> None:
    assert wide.studio.settings.catalogue["wide_on"].section.category == Category("wide", "Wide")


def test_fields_are_known_when_tabs_are_built(wide: Any) -> None:
    assert wide.module.LAID_OUT["first paste field"] == ("txt2img_prompt", "Prompt")
    assert "128x64" in wide.module.LAID_OUT["size"]
    for elem_id in ("wide_prompt", "wide_generate", "wide_styles", "wide_small_prompt", "wide_small_generate"):
        assert component(wide, elem_id) is not None


@pytest.mark.parametrize("tab", ["txt2img", "img2img"])
def test_extensions_find_generate_among_the_events_and_bind_its_fields(wide: Any, tab: str) -> None:
    (demo,) = wide.module.DEMOS
    assert isinstance(demo, type(wide.demo))
    generate = component(wide, f"{tab}_generate")._id
    (event,) = [one for one in demo.dependencies if generate in one["targets"] and len(one["outputs"]) == 4]
    assert (event["trigger"], event["js"][:6]) == ("click", "submit")
    fields = next(one.inputs for one in demo.fns if [block._id for block in one.inputs] == event["inputs"])
    labels = [one.label for one in fields]
    scripts = runner_of(tab).inputs
    first = labels.index("Override settings") + 1
    assert fields[first : first + len(scripts)] == scripts
    for label, elem_id in (("Prompt", "prompt"), ("Seed", "seed"), ("CFG Scale", "cfg_scale"), ("Height", "height")):
        assert fields[labels.index(label)].elem_id == f"{tab}_{elem_id}"
    before = len(wide.demo.fns)
    with demo:
        component(wide, "wide_generate").click(lambda *values: None, fields, None)
    assert len(wide.demo.fns) == before + 1


def test_components_come_in_a1111s_order(wide: Any) -> None:
    wanted = ["prompt", "neg_prompt", "sampling", "steps", "width", "height", "batch_count", "batch_size", "cfg_scale"]
    seen = wide.module.LAID_OUT["txt2img"]
    places = [seen.index(f"txt2img_{name}") for name in [*wanted, "seed", "script_container"]]
    assert places == sorted(places)
    assert wide.module.ORDER[:2] == [("before", "txt2img_steps"), ("after", "txt2img_steps")]


def test_a_script_stands_in_the_section_that_it_names(wide: Any) -> None:
    def ancestors(block: Any) -> Iterator[Any]:
        while block is not None:
            yield block
            block = block.parent

    strength = next(script for script in runner_of("txt2img").alwayson_scripts if script.title() == "Wide").strength
    container = component(wide, "txt2img_script_container")
    assert container not in list(ancestors(strength))
    assert component(wide, "tab_txt2img") in list(ancestors(strength))


def test_a_script_in_both_lists_has_its_fields_once(wide: Any) -> None:
    names = [name for name, _ in named("txt2img")]
    assert [name for name in names if name.startswith("script.wide.")] == ["script.wide.0"]


def test_scripts_read_a_pasted_text_before_the_prompt_is_all_that_is_left_of_it(wide: Any) -> None:
    own = component(wide, "paste")._id
    prompt = component(wide, "txt2img_prompt")
    events = [one for one in wide.demo.fns.values() if (own, "click") in one.targets]
    assert [prompt in one.outputs for one in events] == [False, True]
    assert any(one.elem_id == "wide_strength" for one in events[0].outputs)


def test_what_scripts_want_is_sent_along(wide: Any) -> None:
    text = "a cat\nSteps: 7, Sampler: Euler, Wide strength: 0.25"
    said = dict(
        zip(wide.host.page.paste_outputs("img2img"), wide.host.page.sent("txt2img", "img2img", text), strict=True)
    )
    own = [update for one, update in said.items() if one.elem_id == "wide_strength"]
    assert [update["value"] for update in own] == [0.25]
    assert all("value" not in update for one, update in said.items() if one.elem_id != "wide_strength")


def test_pages_of_cards_stand_beside_the_studios(wide: Any) -> None:
    assert component(wide, "txt2img_wide_cards").label == "Wide cards"
    found = wide.client.get("/internal/a1111/cards/wide_cards").json()
    assert [card["name"] for card in found["cards"]] == ["circle", "line"]
    circle = found["cards"][0]
    assert circle["description"] == "A round thing."
    assert circle["prompt"].startswith('"<wide:circle:" + opts.')
    picture = wide.client.get("/" + circle["preview"])
    assert Image.open(io.BytesIO(picture.content)).size == (4, 4)
    assert wide.client.get("/internal/a1111/cards/wide_cards", params={"search": "lin"}).json()["total"] == 1
    wide.client.post("/internal/a1111/cards/wide_cards/refresh")
    assert wide.module.ui_extra_networks.extra_pages[-1].looked == 1
    assert wide.client.get("/internal/a1111/cards/nobody").status_code == 404


def test_pictures_elsewhere_are_not_shown(wide: Any) -> None:
    secret = wide.data / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    for name in (str(secret), f"{wide.data}/extensions/wide/models/../../../secret.png", "a\0b.png"):
        assert wide.client.get("/internal/a1111/thumb", params={"filename": name}).status_code == 404


def test_the_studios_own_pages_can_be_walked_through(wide: Any) -> None:
    pages = {page.name: page for page in wide.module.ui_extra_networks.extra_pages}
    assert {"lora", "textual inversion", "hypernetworks", "checkpoints"} <= set(pages)
    assert "atelier-mini" in [item["name"] for item in pages["checkpoints"].list_items()]


def test_what_it_adds_to_training_has_a_tab(wide: Any) -> None:
    assert component(wide, "wide_train") is not None
    assert {"txt2img_prompt", "txt2img_steps", "txt2img_seed"} <= set(wide.module.TRAINED)


def test_its_steps_work_on_pictures_of_extras(wide: Any) -> None:
    picture = Image.effect_noise((24, 16), 60).convert("RGB")
    request = ExtrasRequest((ExtrasPicture(picture, "a"),), scripts={"Wide flip": {"copies": 2}})
    job = ended(wide.studio, wide.studio.submit(request, "extras"))
    assert job.state == "done"
    paths = [Path(image["path"]) for image in job.result["images"]]
    flipped = ImageOps.flip(picture)
    for path, wanted in zip(paths, (flipped, ImageOps.invert(flipped), ImageOps.invert(flipped)), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(wanted))
    assert "Wide flip: 24x16" in Image.open(paths[0]).info["postprocessing"]
    assert "copy0" in paths[1].name
    # The one that fails is told of, and the others go on.
    assert "this step fails" in wide.studio.extensions.failures("wide")[0].sentence
    wide.studio.extensions._failures.clear()


def test_they_run_in_the_api_with_what_their_fields_begin_with(wide: Any) -> None:
    buffer = io.BytesIO()
    picture = Image.effect_noise((8, 8), 60).convert("RGB")
    picture.save(buffer, "PNG")
    body = {"image": base64.b64encode(buffer.getvalue()).decode(), "upscaler_1": "None"}
    client = TestClient(guarded(wide.app, wide.studio.flags), base_url="http://127.0.0.1:7860")
    answer = client.post("/sdapi/v1/extra-single-image", json=body).json()
    made = Image.open(io.BytesIO(base64.b64decode(answer["image"])))
    np.testing.assert_array_equal(np.asarray(made), np.asarray(ImageOps.flip(picture)))
    wide.studio.extensions._failures.clear()


def test_the_extras_tab_has_its_fields(wide: Any) -> None:
    from modules.a1111.postprocessing import asked

    labels = {getattr(block, "label", None) for block in wide.demo.blocks.values()}
    assert {"Flip", "Copies"} <= labels
    assert asked({"postprocessing.Wide flip.flip": False, "upscaling": True}) == {"Wide flip": {"flip": False}}


def test_a_picture_says_what_the_script_said(wide: Any) -> None:
    job = ended(wide.studio, wide.studio.submit(REQUEST.with_(scripts={"Wide": (0.75,)})))
    assert "Wide strength: 0.75" in job.result["images"][0]["infotext"]


def test_img2img_takes_the_pages_values(wide: Any) -> None:
    p = wide.module.drawn_over(Image.new("RGB", (32, 32), "red"))
    assert (p.width, p.height, p.init_images[0].size, p.script_args) == (64, 64, (32, 32), [0, 0.25])
    assert p.to_request().source.images == (p.init_images[0],)


def test_layers_are_those_that_draw(wide: Any) -> None:
    from torch.nn import Conv2d

    from modules import sd_hijack

    ended(wide.studio, wide.studio.submit(REQUEST))
    own = [layer for layer in sd_hijack.model_hijack.layers if isinstance(layer, Conv2d)]
    assert any(layer is wide.module.shared.sd_model.model.diffusion_model.conv_in for layer in own)


def test_pictures_are_enlarged_by_hand(wide: Any) -> None:
    from scripts import postprocessing_upscale

    pp = postprocessing_upscale.scripts_postprocessing.PostprocessedImage(Image.new("RGB", (16, 32)))
    script = postprocessing_upscale.ScriptPostprocessingUpscale()
    tools = wide.studio.engine.tools(wide.studio.settings)
    with bound().working(Work(SimpleNamespace(id="x"), tools, None)):  # type: ignore[arg-type]
        script.process(pp, upscale_mode=1, upscale_to_width=32, upscale_to_height=64, upscaler_1_name="Lanczos")
    assert pp.image.size == (32, 64)
    assert (pp.shared.target_width, pp.shared.target_height) == (32, 64)
    assert pp.info["Postprocess upscaler"] == "Lanczos"
