"""Extras over HTTP: A1111's fields and answers, jobs like any other, files with the texts they should have."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.sdapi.serving import Server, serving_studio

pytest.importorskip("torch")
from modules.studio.flag_table import Flags
from modules.studio.studio import Studio
from modules.terms.extras import ExtrasPicture, ExtrasRequest, FlippedCopies, Upscaling
from tests.enhance.small_networks import nearest_esrgan, write

MADE_BY = "a cat\nSteps: 20, Sampler: Euler, Seed: 5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("studio")
    write(folder / "models" / "ESRGAN" / "4x_near.safetensors", nearest_esrgan())
    studio = Studio(Flags(data_dir=folder, skip_load_model_at_start=True))
    studio.jobs.start()
    with serving_studio(studio) as server:
        server.client.timeout = 120
        yield server


def noise(width: int = 24, height: int = 16) -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, file_type: str = "PNG", **texts: str) -> str:
    notes = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        notes.add_text(name, text)
    buffer = io.BytesIO()
    image.save(buffer, file_type, **({"pnginfo": notes} if file_type == "PNG" else {}))
    return base64.b64encode(buffer.getvalue()).decode()


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def single(server: Server, **body: Any) -> dict[str, Any]:
    response = server.client.post("/sdapi/v1/extra-single-image", json={"image": encoded(noise()), **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_recorded_answers_come_out_pixel_for_pixel(server: Server, parity: Path) -> None:
    for path in sorted((parity / "cases" / "extras").glob("*.json")):
        case = json.loads(path.read_text())
        answer = server.client.post(case["endpoint"], json=case["request"]).json()
        expected = Image.open(parity / "cases" / case["images"][0]["file"])
        assert np.array_equal(np.asarray(decoded(answer["image"])), np.asarray(expected)), path.stem
        assert answer["html_info"] == case["html_info"]


def test_a_file_of_the_user_enlarges_and_texts_are_kept(server: Server) -> None:
    image = noise()
    body = {"image": encoded(image, parameters=MADE_BY, Title="mine"), "upscaling_resize": 4, "upscaler_1": "4x_near"}
    answer = server.client.post("/sdapi/v1/extra-single-image", json=body).json()
    larger = decoded(answer["image"])
    assert np.array_equal(np.asarray(larger), np.asarray(image.resize((96, 64), Image.Resampling.NEAREST)))
    assert (larger.info["parameters"], larger.info["Title"]) == (MADE_BY, "mine")
    assert larger.info["postprocessing"] == "Postprocess upscale by: 4.0, Postprocess upscaler: 4x_near"
    assert answer["html_info"] == f"<p>{larger.info['postprocessing']}</p>"


def test_nothing_is_left_among_the_users_pictures(server: Server) -> None:
    single(server, upscaler_1="Lanczos")
    assert not list((server.studio.flags.data_dir / "outputs").rglob("*.png"))


def test_several_pictures_keep_their_order(server: Server) -> None:
    images = [{"data": encoded(noise(8 * number, 8)), "name": f"{number}.png"} for number in (3, 1, 2)]
    body = {"imageList": images, "upscaling_resize": 2, "upscaler_1": "Nearest"}
    answer = server.client.post("/sdapi/v1/extra-batch-images", json=body).json()
    assert [decoded(text).width for text in answer["images"]] == [48, 16, 32]


def test_defaults_leave_the_picture_alone(server: Server) -> None:
    answer = single(server)
    assert np.array_equal(np.asarray(decoded(answer["image"])), np.asarray(noise()))
    assert answer["html_info"] == "<p></p>"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"upscaler_1": "4x_neat"}, 404, "Did you mean '4x_near'"),
        ({"upscaler_1": "R-ESRGAN 2x+"}, 404, "RealESRGAN_x2plus.pth"),
        ({"codeformer_visibility": 1}, 404, "models/Codeformer"),
        ({"upscaling_resize": 0}, 422, "upscaling_resize"),
        ({"resize_mode": 2}, 422, "resize_mode"),
        ({"resize_mode": 1, "upscaling_resize_w": 1, "upscaling_resize_h": 10**6}, 422, "too long and narrow"),
        ({"gfpgan_visibility": 1.5}, 422, "gfpgan_visibility"),
        ({"image": "x"}, 422, "Invalid encoded image"),
        ({"image": "https://example.com/x.png"}, 403, "switched off"),
    ],
)
def test_what_cannot_be_done_is_told(server: Server, body: dict[str, Any], status: int, words: str) -> None:
    body = {"image": encoded(noise()), "upscaler_1": "Lanczos", **body}
    response = server.client.post("/sdapi/v1/extra-single-image", json=body)
    assert response.status_code == status
    assert words in json.dumps(response.json()["errors"] or response.json()["detail"])


@pytest.mark.parametrize(("model", "words"), [("clip", "BLIP"), ("deepdanbooru", "models/deepbooru"), ("no", "'no'")])
def test_interrogation_says_what_is_missing(server: Server, model: str, words: str) -> None:
    response = server.client.post("/sdapi/v1/interrogate", json={"image": encoded(noise()), "model": model})
    assert response.status_code == 404
    assert words in response.json()["detail"]


def test_lists_name_the_files_and_restorers(server: Server) -> None:
    def names(path: str) -> list[str]:
        return [row["name"] for row in server.client.get(f"/sdapi/v1/{path}").json()]

    assert names("upscalers") == ["None", "Lanczos", "Nearest", "4x_near"]
    assert names("face-restorers") == ["CodeFormer", "GFPGAN", "RestoreFormer"]
    assert names("realesrgan-models") == []
    path = server.studio.flags.realesrgan_models_path / "RealESRGAN_x4plus.safetensors"
    write(path, nearest_esrgan())
    server.studio.refresh("upscalers")
    assert names("realesrgan-models") == ["R-ESRGAN 4x+"]
    path.unlink()
    server.studio.refresh("upscalers")


def finished(server: Server, request: ExtrasRequest, **options: Any) -> dict[str, Any]:
    job = server.studio.submit(request, "extras", options=options)
    done = server.studio.jobs.wait(job.id, 60)
    assert done.state == "done", done.error
    return dict(done.result)


def test_results_of_the_page_are_saved_under_numbers_or_names(server: Server) -> None:
    one, other = (ExtrasPicture(noise(), name, {"parameters": MADE_BY}) for name in ("first [x]", "second"))
    folder = server.studio.flags.data_dir / "outputs" / "extras-images"
    upscaling = Upscaling(scale=2, upscaler="Nearest")
    record = finished(server, ExtrasRequest((one,), upscaling=upscaling))
    assert [Path(row["path"]) for row in record["images"]] == [folder / "00000.png"]
    assert record["images"][0]["infotext"] == f"{MADE_BY}, Postprocess upscale by: 2, Postprocess upscaler: Nearest"
    written = Image.open(folder / "00000.png").info
    assert (written["parameters"], written["extras"]) == (MADE_BY, written["postprocessing"])
    several = ExtrasRequest((one, other), flips=FlippedCopies(), settings={"samples_format": "jpg"})
    record = finished(server, several)
    assert [Path(row["path"]).name for row in record["images"]] == [
        *("first [x].jpg", "first [x]-horizontal.jpg", "second.jpg", "second-horizontal.jpg")
    ]
    alike = finished(server, ExtrasRequest((other, ExtrasPicture(noise(8, 8), "Second"))))
    assert [Path(row["path"]).name for row in alike["images"]] == ["second.png", "Second-1.png"]


def test_a_folder_goes_to_another(server: Server, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b", "a"):
        noise().save(tmp_path / "in" / f"{name}.png")
    request = ExtrasRequest(
        folder=str(tmp_path / "in"),
        output_folder=str(tmp_path / "out"),
        show_results=False,
        upscaling=Upscaling(scale=2, upscaler="Lanczos"),
    )
    record = finished(server, request)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]
    assert record["images"] == []
    assert record["notes"] == [f"2 pictures are in {tmp_path / 'out'}."]


def test_an_interrupt_keeps_the_pictures_that_are_finished(server: Server) -> None:
    """Between two tiles, so it does not wait for the second picture."""
    pictures = tuple(ExtrasPicture(noise(side, side)) for side in (8, 400))
    settings = {"ESRGAN_tile": 16, "ESRGAN_tile_overlap": 8}
    request = ExtrasRequest(pictures, upscaling=Upscaling(scale=4, upscaler="4x_near"), settings=settings)
    jobs = server.studio.jobs
    job = server.studio.submit(request, "extras")
    with jobs.follow(job.id) as follower:
        while not (jobs.get(job.id).progress.batch == 1 and jobs.get(job.id).progress.step):
            follower.next(5)
            assert not jobs.get(job.id).is_final
    jobs.interrupt(job.id)
    done = jobs.wait(job.id, 60)
    assert (done.state, done.interrupted, len(done.result["images"])) == ("done", True, 1)


def test_an_interrupt_before_anything_is_finished_leaves_nothing(server: Server) -> None:
    request = ExtrasRequest(
        (ExtrasPicture(noise(401, 400)),),
        upscaling=Upscaling(scale=4, upscaler="4x_near"),
        settings={"ESRGAN_tile": 16},
    )
    jobs = server.studio.jobs
    job = server.studio.submit(request, "extras")
    with jobs.follow(job.id) as follower:
        while not jobs.get(job.id).progress.step:
            follower.next(5)
            assert not jobs.get(job.id).is_final
    jobs.interrupt(job.id)
    done = jobs.wait(job.id, 60)
    assert done.state == "cancelled"
    assert done.error == "The job was interrupted."
