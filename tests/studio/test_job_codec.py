"""Requests survive the disk unchanged: every field, tuples as tuples, pictures pixel by pixel."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.studio.job_codec import Codec, PictureStore
from modules.terms.errors import BadRequest, NotFound
from modules.terms.request import GenerationRequest, Hires, Mask, Refiner, Source

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.sampled_from(["$picture", "$tuple", "$type"]), inner)
        | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=12,
)


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    return Codec(PictureStore(tmp_path))


def through_json(codec: Codec, value: object) -> object:
    return codec.decode(json.loads(json.dumps(codec.encode(value)[0])))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(value=plain)
def test_any_plain_value_comes_back(codec: Codec, value: object) -> None:
    assert through_json(codec, value) == value


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "LAB"])
def test_pictures_come_back_exactly(codec: Codec, mode: str) -> None:
    gradient = Image.linear_gradient("L").resize((7, 5))
    picture = Image.frombytes("I;16", (7, 5), gradient.convert("I").tobytes()[:70]) if mode == "I;16" else None
    if picture is None:
        picture = Image.merge("LAB", [gradient] * 3) if mode == "LAB" else gradient.convert(mode)
    found = through_json(codec, picture)
    assert (found.mode, found.size, found.tobytes()) == (picture.mode, picture.size, picture.tobytes())


def test_a_whole_request_comes_back(codec: Codec) -> None:
    picture = Image.linear_gradient("L").convert("RGB")
    request = GenerationRequest(
        prompt="猫 🐈\n\x00",
        styles=("a", "b"),
        source=Source((picture, picture), mask=Mask(picture.convert("L"), invert=True)),
        hires=Hires(scale=1.5),
        refiner=Refiner("x", 0.5),
        settings={"CLIP_stop_at_last_layers": 2, "list": [1, 2]},
        script=("x/y/z plot", (1, [2, (3,)], None)),
        scripts={"ControlNet": ({"enabled": True, "image": picture},)},
    )
    encoded, names = codec.encode(request)
    assert len(names) == 2, "one picture used three times is kept once"
    found = codec.decode(json.loads(json.dumps(encoded)))
    assert found.with_(source=None, scripts={}) == request.with_(source=None, scripts={})
    assert found.source.images[1].tobytes() == picture.tobytes()
    assert found.source.mask.invert is True
    assert found.scripts["ControlNet"][0]["image"].tobytes() == picture.tobytes()


def test_what_cannot_be_kept_is_refused(codec: Codec) -> None:
    with pytest.raises(BadRequest, match="object cannot be part"):
        codec.encode(GenerationRequest(settings={"x": object()}))


def test_fields_of_another_version_do_no_harm(codec: Codec) -> None:
    encoded, _ = codec.encode(GenerationRequest(prompt="a"))
    encoded["fields"]["gone"] = 1
    del encoded["fields"]["steps"]
    assert codec.decode(encoded) == GenerationRequest(prompt="a")


def test_pictures_without_a_job_go_but_young_ones_stay(codec: Codec) -> None:
    old, kept, young = (codec.pictures.put(Image.new("L", (2, 2), shade)) for shade in (1, 2, 3))
    long_ago = time.time() - 7200
    for name in (old, kept):
        os.utime(codec.pictures.folder / name, (long_ago, long_ago))
    codec.pictures.remove_orphans({kept})
    with pytest.raises(NotFound):
        codec.pictures.open(old)
    assert codec.pictures.open(kept)
    assert codec.pictures.open(young)
