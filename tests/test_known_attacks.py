"""One test for each attack that is known on programs of this kind and has no test in its own room.

SECURITY.md says where the others are.
"""

from __future__ import annotations

import ast
import json
import pickle
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import torch
from PIL import Image

from modules.checkpoints.files import open_tensors, read_header
from modules.checkpoints.inspect import inspect_file
from modules.enhance.captions import LONGEST_SIDE, small_enough
from modules.imaging.resize import ResizeMode, resize
from modules.studio.flags import parse_flags
from modules.terms.errors import WebuiError
from modules.terms.request import GenerationRequest, Source
from tests.sdapi.serving import Server, serving

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("studio")) as one:
        yield one


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client


class Bomb:
    """Runs a command where a pickle is loaded unguarded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".pth", ".bin"])
@pytest.mark.parametrize("how", ["torch", "plain"])
def test_a_pickle_runs_nothing(tmp_path: Path, ending: str, how: str) -> None:
    """ComfyUI CVE-2026-68771, InvokeAI CVE-2024-12029: a model file that is a program."""
    file, marker = tmp_path / f"model{ending}", tmp_path / "ran"
    if how == "torch":
        torch.save({"state_dict": {"x": Bomb(marker)}}, file)
    else:
        file.write_bytes(pickle.dumps(Bomb(marker)))
    for look in (open_tensors, read_header, inspect_file):
        try:
            look(file)
        except WebuiError:
            continue
    assert not marker.exists()


@pytest.mark.parametrize("length", [1 << 62, (1 << 64) - 1, 200 << 20])
def test_a_header_that_claims_to_be_huge(tmp_path: Path, length: int) -> None:
    """A1111 CVE-2026-111985: the length in a safetensors header."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", length) + b"{}")
    with pytest.raises(WebuiError):
        read_header(file)


def test_offsets_outside_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 16)
    with pytest.raises(WebuiError):
        open_tensors(file)["w"]


SECRETS = ("config.json", "private/keys.json", "cache/models.sqlite", "jobs/jobs.sqlite", "../etc/passwd")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("route", ["/file={path}", "/gradio_api/file={path}", "/internal/gallery/picture/{path}/file"])
def test_files_of_the_studio_are_not_given_out(server: Server, name: str, route: str) -> None:
    """ComfyUI-Manager CVE-2025-67303, InvokeAI 6.13.7, Gradio CVE-2026-28414: settings and keys over HTTP."""
    data = server.studio.flags.data_dir
    (data / "private").mkdir(exist_ok=True)
    (data / "private" / "keys.json").write_text("{}")
    (data / "config.json").write_text("{}")
    for path in (name, str(data / name), f"..%2f{name}", f"//{data / name}"):
        assert server.client.get(route.format(path=path)).status_code in (400, 403, 404, 405, 422)


@pytest.mark.parametrize(
    "target", ["https://evil.example/x", "//evil.example", "http://127.0.0.1:22/", "/\\evil.example"]
)
def test_files_are_no_way_to_other_sites(client: httpx.Client, target: str) -> None:
    """A1111 CVE-2024-4940, Gradio CVE-2026-59806: a redirect or a request to an address in the path."""
    answer = client.get(f"/file={target}", follow_redirects=False)
    assert answer.status_code in (400, 403, 404)
    assert "evil" not in answer.headers.get("location", "")


@pytest.mark.parametrize("path", ["/sdapi/v1/options", "/internal/gallery/delete", "/internal/extensions/fetch"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"])
def test_a_form_on_another_site_changes_nothing(client: httpx.Client, path: str, kind: str) -> None:
    """ComfyUI-Manager #2818: a plain form that posts to the local server."""
    answer = client.post(path, content=b'{"a": 1}', headers={"Content-Type": kind})
    assert answer.status_code in (403, 415)
    with_origin = client.post(path, json={}, headers={"Origin": "https://evil.example"})
    assert with_origin.status_code == 403


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "../../x", "a/b", "C:\\x", "nul"])
def test_names_in_requests_do_not_become_paths_or_headers(client: httpx.Client, name: str) -> None:
    """ComfyUI-Manager CVE-2026-22777 (CRLF), Impact-Pack CVE-2024-21575, Easy-Use CVE-2026-123790 (traversal)."""
    for path, body in (
        ("/internal/models/uploads", {"name": name, "size": 5}),
        ("/internal/models/place", {"path": name}),
        ("/sdapi/v1/txt2img", {"prompt": "x", "override_settings": {"sd_vae": name}, "steps": 1}),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code < 500, answer.text
        assert "x-evil" not in answer.headers


def test_listening_for_others_needs_a_password(tmp_path: Path, capsys) -> None:
    """A1111 #16500, ssvid-99773: an exposed API that anybody may use."""
    with pytest.raises(SystemExit):
        parse_flags(["--data-dir", str(tmp_path), "--listen"])
    assert "--gradio-auth" in capsys.readouterr().err
    assert parse_flags(["--data-dir", str(tmp_path), "--listen", "--gradio-auth", "a:b"]).listen


def sources() -> list[Path]:
    return [*(ROOT / "modules").rglob("*.py"), *(ROOT / "scripts").glob("*.py"), ROOT / "webui.py"]


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def named(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_no_command_is_a_string() -> None:
    """kohya_ss CVE-2024-32025, -32026: a command line put together from a field."""
    for path in sources():
        for call in calls(path):
            assert named(call) not in ("os.system", "os.popen", "subprocess.getoutput"), path
            assert not any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in call.keywords), path


def test_torch_loads_weights_only() -> None:
    for path in sources():
        if "facades" in path.parts:
            continue  # what extensions load is theirs; modules.safe guards it
        for call in calls(path):
            if named(call).endswith("torch.load"):
                assert any(
                    word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in call.keywords
                ), path


def test_libraries_run_no_code_of_models() -> None:
    """diffusers CVE-2026-44513, transformers CVE-2026-5241, -80047: code that comes with a model."""
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"trust_remote_code\s*=\s*True|custom_pipeline\s*=", text), path


def test_gradio_is_newer_than_its_known_holes() -> None:
    """Gradio CVE-2026-59806 is mended in 6.20."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert re.search(r"^gradio>=6\.(2\d|[3-9]\d)", text, re.MULTILINE)
    locked = re.search(r"^gradio==(\d+)\.(\d+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert locked is not None
    assert (int(locked[1]), int(locked[2])) >= (6, 20)


@pytest.mark.parametrize(
    "field",
    [
        {"seed": 10**40},
        {"subseed": 1 << 63},
        {"prompt": "(" * 200_000},
        {"enable_hr": True, "hr_scale": 1e6, "denoising_strength": 0.5},
        {"enable_hr": True, "hr_resize_x": 10**6, "denoising_strength": 0.5},
        {"enable_hr": True, "hr_resize_x": 16384, "height": 2048},  # 16384 x 524288
        {"enable_hr": True, "hr_scale": -1e308},
        {"enable_hr": True, "hr_second_pass_steps": 10**9},
        {"seed_resize_from_w": 10**5, "seed_resize_from_h": 10**5},
        {"cfg_scale": 1e308},
        {"subseed_strength": 1e308},
        {"override_settings": {"eta_noise_seed_delta": 10**30}},
        {"override_settings": {"sigma_max": 10**400}},
        {"batch_size": 10**6},
        {"n_iter": 10**6},
        {"steps": 10**30},
        {"width": 10**9},
    ],
)
def test_no_request_is_boundless(client: httpx.Client, field: dict[str, object]) -> None:
    body = {"prompt": "x", "steps": 1, "width": 64, "height": 64, **field}
    answer = client.post("/sdapi/v1/txt2img", json=body)
    assert answer.status_code == 422
    assert re.search("at (most|least)", answer.json()["errors"])


@pytest.mark.parametrize("mode", [ResizeMode.CROP, ResizeMode.STRETCH])
@pytest.mark.parametrize("size", [(1_000_000, 1), (1, 1_000_000)])
def test_a_long_strip_does_not_fill_the_memory(size: tuple[int, int], mode: ResizeMode) -> None:
    """A picture of few pixels that would have 10^11 once it covers a square, or fits an upscaler's factor."""
    strip = Image.new("1", size).convert("RGB")

    def upscale(image: Image.Image, factor: float) -> Image.Image:
        raise AssertionError("no upscaler is asked for this")

    with pytest.raises(WebuiError, match="too long and narrow"):
        resize(strip, 512, 512, mode, upscale)
    if mode == ResizeMode.CROP:
        with pytest.raises(WebuiError, match="too long and narrow"):
            resize(strip, 512, 512, mode)


def test_a_large_picture_is_not_encoded_at_its_own_size() -> None:
    """resize_mode 3 scales in the latent: the encoder would have worked on 67 megapixels for minutes."""
    source = Source(images=(Image.new("1", (65535, 1024)),), resize_mode=3)
    with pytest.raises(WebuiError, match="megapixels at most"):
        GenerationRequest(prompt="x", steps=1, source=source).check()


def test_a_long_strip_is_described_by_a_small_one() -> None:
    """Taggers pad to a square: 10^12 pixels of this one."""
    assert max(small_enough(Image.new("L", (1_000_000, 3))).size) <= LONGEST_SIDE
