"""Whatever is sent, the answer is no 5xx, and no job is lost on the way.

ATELIER_FUZZ_EXAMPLES=2500 sends that many bodies to each of txt2img and img2img.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.sdapi.schemas import Img2ImgBody, Txt2ImgBody
from tests.sdapi.serving import Server

PNG = io.BytesIO()
Image.linear_gradient("L").resize((16, 16)).save(PNG, "PNG")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
broken_png = st.builds(
    lambda at, byte: base64.b64encode(PNG.getvalue()[:at] + bytes([byte]) + PNG.getvalue()[at + 1 :]).decode(),
    st.integers(0, len(PNG.getvalue()) - 1),
    st.integers(0, 255),
)
# Small on purpose: a valid request is drawn.
sizes = {"steps": st.integers(-1, 3), "width": st.integers(0, 80), "height": st.integers(0, 80)}


def bodies(model: type, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies with a few fields of `model` changed to anything."""
    names = [name for name in model.model_fields if name not in (*sizes, "batch_size", "n_iter")]
    changes = st.dictionaries(st.sampled_from(names), anything, max_size=4)
    small = st.fixed_dictionaries(sizes, optional={"batch_size": st.integers(-1, 2), "n_iter": st.integers(-1, 2)})
    return st.builds(
        lambda first, second, third: {**first, **second, **third}, small, changes, st.fixed_dictionaries(more)
    )


def post(server: Server, path: str, body: dict[str, Any]) -> None:
    sent = server.client.post(
        f"/sdapi/v1/{path}", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert sent.status_code < 500, sent.text
    if sent.status_code == 200:
        assert set(sent.json()) == {"images", "parameters", "info"}
    else:
        assert sent.json()["errors"]


EXAMPLES = int(os.environ.get("ATELIER_FUZZ_EXAMPLES", "100"))
relaxed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(body=bodies(Txt2ImgBody))
def test_txt2img(server: Server, body: dict[str, Any]) -> None:
    post(server, "txt2img", body)
    assert server.studio.jobs.active() == []


@relaxed
@given(body=bodies(Img2ImgBody, init_images=st.lists(broken_png | anything, max_size=2)))
def test_img2img(server: Server, body: dict[str, Any]) -> None:
    post(server, "img2img", body)
    assert server.studio.jobs.active() == []


@relaxed
@given(
    path=st.sampled_from(["sdapi/v1/options", "sdapi/v1/png-info", "internal/progress", "sdapi/v1/skip"]),
    body=st.binary(max_size=40) | anything.map(lambda value: json.dumps(value).encode()),
)
def test_other_routes(server: Server, path: str, body: bytes) -> None:
    sent = server.client.post(f"/{path}", content=body, headers={"Content-Type": "application/json"})
    assert sent.status_code < 500, sent.text
