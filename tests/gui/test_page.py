"""The page as HTTP sees it: light, early, in the reader's language, and closed where it should be."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from modules.gui.page import build
from modules.gui.pictures import serve_in_place
from tests.gui.serving import app_of
from tests.gui.stand_in import StandIn, png

ROOT = Path(__file__).resolve().parents[2]
HOST = {"host": "127.0.0.1"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory):
    studio = StandIn(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.jobs.close()


@pytest.fixture(scope="module")
def client(studio: StandIn):
    with TestClient(app_of(studio), base_url="http://127.0.0.1:7860") as client:
        yield client


def boot(client: TestClient, language: str) -> dict:
    answer = client.get("/internal/gui/boot.js", headers={"accept-language": language})
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(answer.text.split(" = ", 1)[1].split(";\nObject", 1)[0])


def test_our_scripts_come_before_gradios(client: TestClient) -> None:
    html = client.get("/").text
    assert html.index("internal/gui/boot.js") < html.index("gradio_config")
    assert html.index("main.js") < html.index("assets/index-")


def test_the_page_is_small(client: TestClient) -> None:
    compressed = client.get("/", headers={"accept-encoding": "gzip"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) < 100_000
    assert len(compressed.content) < 900_000


def test_nothing_of_the_page_is_offered_as_an_api_of_gradio(client: TestClient) -> None:
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_there_is_no_heartbeat(client: TestClient) -> None:
    """It would hold one of the six connections that a browser makes to a host, for every tab (measured)."""
    assert client.get("/config").json()["connect_heartbeat"] is False


def test_no_event_waits_in_gradios_queue(client: TestClient) -> None:
    waiting = [
        entry for entry in client.get("/config").json()["dependencies"] if entry["queue"] and entry["backend_fn"]
    ]
    assert waiting == []


def test_files_of_ours_last_and_are_found(client: TestClient) -> None:
    html = client.get("/").text
    style = html.split('rel="stylesheet" href="', 1)[1].split('"', 1)[0]
    answer = client.get(f"/{style}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    asset = html.split('src="./assets/', 1)[1].split('"', 1)[0]
    assert "immutable" in client.get(f"/assets/{asset}").headers["cache-control"]


def test_the_language_is_the_browsers_until_one_is_set(client: TestClient, studio: StandIn) -> None:
    assert boot(client, "en-GB")["language"] == "en"
    assert boot(client, "zh-CN,zh;q=0.9")["texts"]["close"] == "关闭"
    studio.set_options({"language": "en"})
    assert boot(client, "zh-CN")["language"] == "en"
    studio.set_options({"language": "auto"})


def test_settings_come_in_the_language_of_the_reader(client: TestClient, studio: StandIn) -> None:
    pages = client.get("/internal/gui/settings", headers={"accept-language": "zh-CN"}).json()["pages"]
    settings = {setting["key"]: setting for page in pages for setting in page["settings"]}
    assert set(settings) == {key for key, one in studio.settings.catalogue.items() if one.section.id}
    assert settings["samples_save"]["label"] == "始终保存所有生成的图片"
    assert settings["samples_save"]["english"] == "Always save all generated images"
    assert settings["sd_model_checkpoint"]["control"]["choices"] == [
        [name, name] for name in studio.listing("checkpoints")
    ]
    assert all(setting["control"]["type"] for setting in settings.values())


def test_a_system_report_that_was_changed_is_told_from_a_whole_one(client: TestClient) -> None:
    written = client.get("/internal/sysinfo-download").text

    def whole(text: str) -> bool:
        return bool(client.post("/internal/gui/sysinfo", json={"text": text}).json()["whole"])

    assert whole(written)
    assert whole(written.replace("\n", "\r\n"))
    assert not whole(written.replace('"Version"', '"version"'))
    assert not whole('{"Version": 1}')


def test_actions_act_and_others_are_refused(client: TestClient, studio: StandIn) -> None:
    for name in ("unload", "reload"):
        assert client.post(f"/internal/gui/actions/{name}", json={}).status_code == 204
    assert studio.actions == ["unload", "reload"]
    refused = client.post("/internal/gui/actions/explode", json={})
    assert (refused.status_code, "unload, reload" in refused.json()["detail"]) == (422, True)


def test_the_template_of_a_translation_has_the_texts_of_page_and_settings(client: TestClient) -> None:
    told = client.get("/internal/gui/localization_template")
    assert "attachment" in told.headers["content-disposition"]
    assert {"Sampling steps", "Generate", "Always save all generated images"} <= set(told.json())
    assert all(english == text for english, text in told.json().items())


def test_every_package_is_named_with_its_license(client: TestClient) -> None:
    told = client.get("/internal/gui/about").json()
    named = {one["name"]: one for one in told["credits"]}
    assert {"gradio", "torch", "diffusers"} <= set(named)
    assert all(one["version"] and one["license"] for one in named.values())
    assert dict(told["facts"])["Python"].startswith("3.")


def test_fields_begin_with_what_was_applied_as_their_defaults(tmp_path: Path) -> None:
    values = {"txt2img": {"steps": 33, "sampler": "Euler", "prompt": "", "hires.scale": 3}}
    first, second = StandIn(tmp_path / "data"), None
    try:
        with TestClient(app_of(first), base_url="http://127.0.0.1:7860") as client:
            rows = client.post("/internal/gui/defaults", json={"values": values, "apply": True}).json()
            assert {(row["key"], row["old"], row["new"]) for row in rows} == {
                ("txt2img/Sampling steps", 20, 33),
                ("txt2img/Sampling method", "DPM++ 2M", "Euler"),
                ("txt2img/Upscale by", 2.0, 3),
            }
        told = json.loads((tmp_path / "data" / "ui-config.json").read_text())
        assert told["txt2img/Sampling steps/value"] == 33
        told |= {"txt2img/Width/maximum": 4096, "txt2img/Batch count/value": "many", "img2img/CFG Scale/value": 3}
        (tmp_path / "data" / "ui-config.json").write_text(json.dumps(told))
        second = first
        with TestClient(app_of(second), base_url="http://127.0.0.1:7860") as client:
            components = {
                one["props"].get("elem_id"): one["props"] for one in client.get("/config").json()["components"]
            }
            assert client.post("/internal/gui/defaults", json={"values": values}).json() == []
        assert components["txt2img_steps"]["value"] == 33
        assert components["txt2img_sampling"]["value"] == "Euler"
        assert components["txt2img_width"]["maximum"] == 4096
        assert components["txt2img_batch_count"]["value"] == 1
        assert components["img2img_cfg_scale"]["value"] == 3
    finally:
        first.jobs.close()


def test_the_page_is_arranged_as_the_settings_say(tmp_path: Path) -> None:
    studio = StandIn(tmp_path / "data")
    studio.settings = studio.settings.with_flat(
        {
            "ui_tab_order": ["Extras", "img2img"],
            "hidden_tabs": ["PNG Info", "Settings"],
            "ui_reorder_list": ["seed", "sampler"],
            "compact_prompt_box": True,
        }
    )
    try:
        demo, _ = build(studio)
    finally:
        studio.jobs.close()
    named = {block.elem_id: block for block in demo.blocks.values() if block.elem_id}
    tabs = named["tabs"].children
    assert [tab.elem_id for tab in tabs][:3] == ["tab_extras", "tab_img2img", "tab_txt2img"]
    # Without the settings nobody could get the others back.
    assert {tab.elem_id for tab in tabs if not tab.visible} == {"tab_pnginfo"}
    parts = [child.elem_id for child in named["txt2img_settings"].children]
    assert parts[0] == "txt2img_prompt_container"
    assert (
        parts.index("txt2img_seed_row") < parts.index("sampler_selection_txt2img") < parts.index("txt2img_accordions")
    )
    assert named["txt2img_results"].children[0].elem_id == "txt2img_actions_column"


def test_settings_change_or_say_why_not(client: TestClient, studio: StandIn) -> None:
    answer = client.post("/internal/gui/settings", json={"jpeg_quality": 91, "samples_save": True})
    assert answer.json() == {"changed": ["jpeg_quality"], "values": {"jpeg_quality": 91}}
    assert studio.settings["jpeg_quality"] == 91
    refused = client.post("/internal/gui/settings", json={"jpeg_quality": "much", "samples_save": False})
    assert refused.status_code == 422
    assert "jpeg_quality" in refused.json()["detail"]
    assert studio.settings["samples_save"] is True


def test_another_web_site_cannot_change_settings(client: TestClient, studio: StandIn) -> None:
    answer = client.post(
        "/internal/gui/settings", json={"samples_save": False}, headers={"origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert studio.settings["samples_save"] is True


def test_saved_pictures_are_served_as_they_are(client: TestClient, studio: StandIn) -> None:
    from tests.gui.stand_in import gradient

    path = studio.outputs.root / "00000-1.png"
    path.write_bytes(png(gradient(64, 64, 1, 1.0), "a boat\nSteps: 1"))
    answer = client.get(f"/gradio_api/file={path}")
    assert answer.content == path.read_bytes()
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert client.get(f"/gradio_api/file={studio.folder / 'config.json'}").status_code in (403, 404)


def test_state_says_whether_the_engine_is_ready(client: TestClient, studio: StandIn) -> None:
    studio.engine_state = "starting"
    assert client.get("/internal/gui/state").json() == {"engine": "starting", "checkpoints": 1, "only_built_in": True}
    studio.engine_state = "ready"
    studio.lists["checkpoints"].append("big.safetensors")
    assert client.get("/internal/gui/state").json() == {"engine": "ready", "checkpoints": 2, "only_built_in": False}


@pytest.mark.parametrize(
    ("metadata", "size"),
    [
        ({"modelspec.resolution": "768x1024"}, [768, 1024]),
        ({"modelspec.resolution": "1024"}, [1024, 1024]),
        ({"size": "256", "format": "pt"}, [256, 256]),
        ({"modelspec.resolution": "large"}, None),
        ({}, None),
    ],
)
def test_a_form_begins_with_the_size_of_the_checkpoint(
    client: TestClient, studio: StandIn, metadata: dict, size: list | None
) -> None:
    header = json.dumps({"__metadata__": metadata}).encode()
    (studio.models / "some.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    studio.library.refresh()
    told = client.get("/internal/gui/family").json()["values"]
    assert [told.get("width"), told.get("height")] == (size or [None, None])


def test_a_folder_is_served_once_however_often_it_is_named(tmp_path: Path) -> None:
    from gradio.data_classes import _StaticFiles

    serve_in_place([tmp_path])
    serve_in_place([tmp_path])
    assert _StaticFiles.all_paths.count(tmp_path.resolve()) == 1


def test_the_page_stands_without_torch() -> None:
    """In a fresh interpreter: building the page imports neither torch nor what needs it."""
    code = (
        "import sys, tempfile; from pathlib import Path; sys.path[:0] = ['.', 'tests/gui'];"
        "from tests.gui.stand_in import StandIn; from tests.gui.serving import app_of;"
        "studio = StandIn(Path(tempfile.mkdtemp()) / 'x'); app_of(studio);"
        "heavy = {'torch', 'transformers', 'diffusers', 'scipy'} & set(sys.modules); studio.jobs.close();"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
