"""The page with an extension of 2023 on it: what it builds, declares, serves and draws."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from modules.a1111.host import install
from modules.a1111.page.script_values import named, runner_of
from modules.sdapi.server import guarded, make_app
from modules.studio.flags import parse_flags
from modules.studio.studio import Studio
from modules.terms.request import GenerationRequest
from tests.a1111.conftest import ROOT, forget_facades
from tests.gui.conftest import Visitor, browser  # noqa: F401 - a fixture
from tests.gui.serving import served

OLDEN = Path(__file__).parent / "extensions" / "olden"


@pytest.fixture(scope="module")
def olden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A studio with the extension: studio, host, demo (the page's Blocks), app, module (the extension's own)."""
    from modules.gui.page import mount

    data = tmp_path_factory.mktemp("olden")
    shutil.copytree(OLDEN, data / "extensions" / "olden")
    (data / "extensions" / "olden" / ".secret.json").write_text("{}", encoding="utf-8")
    models = ROOT / "models" / "Stable-diffusion"
    studio = Studio(parse_flags(["--data-dir", str(data), "--ckpt-dir", str(models)]))
    host = install(studio)
    host.load()
    app = make_app(studio)
    demo = mount(app, studio)
    host.app_started(demo, app)
    studio.start()
    yield SimpleNamespace(studio=studio, host=host, demo=demo, app=app, module=sys.modules["olden.py"])
    studio.close()
    forget_facades()


def component(olden: Any, elem_id: str) -> Any:
    return next(block for block in olden.demo.blocks.values() if block.elem_id == elem_id)


def event(olden: Any, elem_id: str, name: str = "click") -> Any:
    """The function behind an event of the component."""
    own = component(olden, elem_id)._id
    found = [one for one in olden.demo.fns.values() if (own, name) in one.targets]
    return found[-1]


def test_nothing_of_it_fails(olden: Any) -> None:
    assert [failure.sentence for failure in olden.studio.extensions.failures("olden")] == []
    assert Path(olden.module.BASE).name == "olden"


def test_options_can_be_read_while_importing_and_stand_in_the_settings(olden: Any) -> None:
    catalogue = olden.studio.settings.catalogue
    assert olden.module.YEAR_AT_IMPORT == 2023
    assert catalogue["olden_tint"].control.choices == ("sepia", "grey")
    assert catalogue["olden_tint"].section.label == "Olden times"
    olden.studio.set_options({"olden_tint": "grey"})
    assert olden.module.shared.opts.olden_tint == "grey"


def test_lists_of_scripts_show_words_and_send_a1111s_own(olden: Any) -> None:
    from modules.gui.i18n import other_words

    said = other_words("zh-CN")["choices"]
    for elem_id in ("script_list", "script_txt2img_xyz_plot_x_type"):
        choices = component(olden, elem_id).choices
        assert {"script_list": "X/Y/Z plot"}.get(elem_id, "Prompt S/R") in [value for _, value in choices]
        # What the extension brings keeps its own name.
        assert [value for shown, value in choices if shown == value and value in said] == []
        assert {shown.key.partition(".")[2] for shown, value in choices if shown != value} <= set(said)


def test_fields_of_scripts_begin_with_what_ui_config_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio as gr

    from modules.a1111.page import script_values
    from modules.gui.form import Tab
    from modules.gui.ui_config import UiConfig
    from modules.gui.widgets import Fields

    path = tmp_path / "ui-config.json"
    path.write_text('{"customscript/x.py/txt2img/Amount/value": 7, "txt2img/Script/value": "X"}', encoding="utf-8")
    amount, chosen = gr.Slider(0, 9, value=1, label="Amount"), gr.Dropdown(["None", "X"], value="None", label="Script")
    runner = SimpleNamespace(
        inputs=[chosen, amount], scripts=[SimpleNamespace(name="x", filename="/a/x.py", args_from=1, args_to=2)]
    )
    monkeypatch.setattr(script_values, "runner_of", lambda _: runner)
    assert script_values.files("txt2img") == {"script": "", "script.x.0": "x.py"}
    config = UiConfig(path)
    tab = Tab("txt2img", Fields(), scripts=Fields({"script": chosen, "script.x.0": amount}))
    config.adopt(tab, script_values.files("txt2img"))
    assert (amount.value, chosen.value) == (7, "X")
    assert config.changes("txt2img", {"script.x.0": 3}) == [("customscript/x.py/txt2img/Amount", 7, 3)]


def test_script_info_names_choices_in_a1111s_words(olden: Any) -> None:
    rows = TestClient(olden.app, base_url="http://127.0.0.1:7860").get("/sdapi/v1/script-info").json()
    plot = next(row for row in rows if row["name"] == "x/y/z plot" and not row["is_img2img"])
    kinds = next(argument["choices"] for argument in plot["args"] if argument["label"] == "X type")
    assert kinds[:3] == ["Nothing", "Seed", "Var. seed"]


def test_components_are_heard_of_and_new_ones_stand_beside_them(olden: Any) -> None:
    assert olden.module.HEARD[0] == "before_ui"
    assert {"txt2img_prompt", "img2img_seed", "txt2img_script_container"} <= set(olden.module.HEARD)
    beside = component(olden, "olden_beside_seed")
    assert beside.parent is component(olden, "txt2img_seed").parent
    assert "gradio-textbox" in beside.elem_classes


def test_components_of_gradio_3_are_those_of_today(olden: Any) -> None:
    assert component(olden, "olden_box").get_block_name() == "group"
    assert component(olden, "olden_model").get_block_name() == "dropdown"
    assert component(olden, "olden_own").get_config()["elem_id"] == "olden_own"
    assert component(olden, "olden_sketch").get_block_name() == "imageeditor"
    assert component(olden, "olden_gallery").columns == 4
    assert component(olden, "olden_more").scale == 1
    assert component(olden, "olden_ago").value == 40
    assert component(olden, "olden_several").multiselect


def test_what_is_not_to_be_seen_is_there_for_scripts_of_the_browser(olden: Any) -> None:
    assert component(olden, "olden_more").visible == "hidden"
    assert event(olden, "olden_enable", "change").fn(False)["visible"] == "hidden"
    # The studio's own page means what it says.
    assert component(olden, "download_files_txt2img").visible is False


def test_no_file_is_written_beside_the_extension(olden: Any) -> None:
    folder = olden.studio.extensions.all()[0].path
    assert not list(folder.rglob("*.pyi"))
    assert not list((ROOT / "modules" / "a1111" / "facades").glob("*.pyi"))


def test_a_pasted_text_fills_the_fields_of_scripts(olden: Any) -> None:
    page = olden.host.page
    text = "a cat\nSteps: 7, Sampler: Euler, Olden: True, Olden word: ancient"
    said = dict(zip([one.elem_id for one in page.paste_outputs("txt2img")], page.pasted("txt2img", text), strict=True))
    assert said["script_txt2img_olden_on-checkbox"]["value"] is True
    assert said["script_txt2img_olden_word"]["value"] == "ancient"
    assert olden.module.PASTED[-1] in (7, "7")


def test_values_of_scripts_are_what_the_request_asks_for(olden: Any) -> None:
    names = [name for name, _ in _scripts_of(olden)]
    values = dict.fromkeys(names, None) | {
        "script": [one.title() for one in runner_of("txt2img").selectable_scripts].index("Chosen") + 1,
        "script.olden.0": True,
        "script.olden.1": "w",
        "script.chosen.0": 3,
    }
    asked = olden.host.page.asked("txt2img", values)
    assert asked["script"] == ("Chosen", (3,))
    assert asked["scripts"]["Olden"][:2] == (True, "w")


def _scripts_of(olden: Any) -> list[tuple[str, Any]]:
    return named("txt2img")


def test_what_a_request_asks_of_scripts_goes_back_into_their_fields(olden: Any) -> None:
    page = olden.host.page
    fields = dict(named("txt2img"))
    titles = [script.title() for script in runner_of("txt2img").selectable_scripts]
    shown = {name: component.value for name, component in fields.items()}
    shown |= {"script": "X/Y/Z plot", "script.x/y/z plot.0": "Steps", "script.x/y/z plot.1": "1-3"}

    def handed(values: dict[str, Any]) -> dict[str, Any]:
        return {name: fields[name].preprocess(value) for name, value in values.items()}

    asked = page.asked("txt2img", handed(shown))
    assert "X/Y/Z plot" in titles
    assert asked["script"][0] == "X/Y/Z plot"
    request = GenerationRequest(script=asked["script"], scripts=asked["scripts"])
    again = page.asked("txt2img", handed({**shown, "script": "None", **page.restored("txt2img", request)}))
    assert again == asked
    assert page.restored("txt2img", GenerationRequest())["script"] == "None"


def test_a_button_of_the_extension_draws_in_its_turn(olden: Any) -> None:
    images, html = olden.module.DRAW("task(olden)", "a red circle")
    assert images[0].size == (64, 64)
    assert "a red circle" in html and "Time taken" in html
    job = olden.studio.jobs.get("task(olden)")
    assert _ended(olden, job.id).state == "done"


def test_what_a_button_raises_is_shown_as_text(olden: Any) -> None:
    _, html = olden.module.FAIL("task(bad)", "x")
    assert "ValueError: no &lt;good&gt;" in html
    assert _ended(olden, olden.studio.jobs.get("task(bad)").id).state == "failed"


def test_what_it_raises_fills_the_last_of_its_outputs_and_leaves_the_others(olden: Any) -> None:
    *others, html = event(olden, "olden_fail").fn("task(many)", "x")
    assert len(others) == 2 and all(one["__type__"] == "update" and "value" not in one for one in others)
    assert "ValueError: no &lt;good&gt;" in html
    assert _ended(olden, olden.studio.jobs.get("task(many)").id).state == "failed"


def _ended(olden: Any, job_id: str) -> Any:
    while not olden.studio.jobs.get(job_id).is_final:
        time.sleep(0.02)
    return olden.studio.jobs.get(job_id)


def test_routes_and_middleware_of_the_extension_answer(olden: Any) -> None:
    answer = TestClient(olden.app).get("/olden/year")
    assert answer.json() == {"year": 2023, "page": True}
    assert answer.headers["X-Olden"] == "yes"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("extensions/olden/javascript/olden.js?1.5", 200),
        ("extensions/olden/style.css", 200),
        ("extensions/olden/scripts/olden.py", 403),
        ("extensions/olden/.secret.json", 403),
        ("config.json", 403),
        ("extensions%2F..%2Fconfig.json", 403),
    ],
)
def test_files_of_the_page_are_served_and_no_others(olden: Any, name: str, status: int) -> None:
    client = TestClient(guarded(olden.app, olden.studio.flags), base_url="http://127.0.0.1:7860")
    answer = client.get(f"/file={name}")
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_head_names_styles_and_the_boot_names_scripts(olden: Any) -> None:
    from modules.a1111.page import browser as of_browser

    assert "file=extensions/olden/style.css" in olden.host.page.head()
    assert "file=extensions/olden/javascript/olden.js" in of_browser.boot()
    assert '"tab_olden"' in of_browser.boot()


def test_settings_of_extensions_have_fields_from_the_start(olden: Any) -> None:
    from modules.a1111.page import browser as of_browser

    fields = of_browser.fields_of_settings()
    assert fields["olden_year"] == "input"
    assert set(fields) <= set(olden.studio.settings.catalogue)
    assert all(kind in ("checkbox", "textarea", "input") for kind in fields.values())
    assert "extensionSettings" in of_browser.boot()
    assert "/settings.js" in olden.host.page.head()


def test_localizations_are_merged_by_name(olden: Any) -> None:
    from modules.a1111.page import localizations

    assert localizations.texts("olden") == {"Generate": "Make"}


def test_without_extensions_the_page_gets_nothing(olden: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(olden.studio.extensions, "active", list)
    assert olden.host.page.head() == ""


@pytest.mark.browser
def test_the_extension_works_in_the_browser(olden: Any, browser: Any) -> None:  # noqa: F811
    with served(guarded(olden.app, olden.studio.flags)) as address:
        visitor = Visitor(browser, address)
        visitor.context.set_default_timeout(60_000)
        page = visitor.open()
        page.wait_for_function("typeof uiIsLoaded !== 'undefined' && uiIsLoaded")
        page.wait_for_function("oldenLoaded.length >= 9")
        seen = page.evaluate("oldenLoaded")
        assert {"dom", "txt2img_prompt", "img2img_prompt", "olden_said", "script_txt2img_olden_word"} <= set(seen)
        assert {"emptied", "inner tab", "left closed"} <= set(seen)
        assert "year 2023" in seen
        page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'typed by a script'")
        page.click("#tab_olden-button")
        page.click("#olden_js")
        said = "document.querySelector('#olden_said :is(textarea, input)').value"
        page.wait_for_function(f"{said} === 'from js'")
        page.click("#olden_own")
        page.wait_for_function("document.querySelector('#olden_model input').value === 'y'")
        page.click("#olden_run")
        page.wait_for_function(f"{said} === '1 y'")
        page.click("#olden_enable input")
        page.wait_for_selector("#olden_weight", state="visible")
        page.click("#olden_draw")
        page.wait_for_selector("#olden_gallery img")
        visitor.context.close()
        assert visitor.faults == []
