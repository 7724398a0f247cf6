"""The merged file has exactly the numbers of the formula, and says how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modules.checkpoints.files import open_tensors, read_header
from modules.checkpoints.library import info_of_file
from modules.checkpoints.load import load_checkpoint
from modules.merging.merge import Sources, plan
from modules.merging.names import config_of, merged_metadata, merged_name, path_for
from modules.terms.errors import BadRequest, Cancelled
from modules.terms.merging import ADD_DIFFERENCE, NO_INTERPOLATION, MergeRequest
from tests.checkpoints.quantised_files import write_fp8

Make = Callable[..., Path]
FIRST = "model.diffusion_model.input_blocks.0.0.weight"
REQUEST = MergeRequest(primary="a", secondary="b", tertiary="c", multiplier=0.3)


def sources_of(*paths: Path) -> Sources:
    first, *others = map(open_tensors, paths)
    second, third = (*others, None, None)[:2]
    return Sources(first, second, third)


def merged(request: MergeRequest, out: Path, *paths: Path, vae: Path | None = None) -> dict[str, Tensor]:
    sources = replace(sources_of(*paths), vae=open_tensors(vae) if vae else None)
    plan(request, sources).write(out, {}, lambda done, total: None)
    return dict(open_tensors(out))


def test_weighted_sum_is_the_formula(make: Make, tmp_path: Path) -> None:
    a, b = make("a", 1), make("b", 2)
    found, first, second = merged(REQUEST, tmp_path / "m.safetensors", a, b), load_file(a), load_file(b)
    assert set(found) == set(first)
    for key, value in found.items():
        expected = (
            first[key] * (1 - 0.3) + second[key] * 0.3 if "." in key and value.is_floating_point() else first[key]
        )
        assert torch.equal(value, expected), key


def test_add_difference_is_the_formula(make: Make, tmp_path: Path) -> None:
    paths = [make(name, seed) for seed, name in enumerate("abc")]
    found = merged(replace(REQUEST, method=ADD_DIFFERENCE), tmp_path / "m.safetensors", *paths)
    a, b, c = map(load_file, paths)
    for key, value in found.items():
        if "." in key and value.is_floating_point():
            assert torch.equal(value, a[key] + (b[key] - c[key]) * 0.3), key


@pytest.mark.parametrize("number_format", ["float16", "bfloat16", "float32"])
def test_half_precision_rounds_once(make: Make, tmp_path: Path, number_format: str) -> None:
    a, b = make("a", 1, dtype=torch.float16), make("b", 2, dtype=torch.bfloat16)
    found = merged(replace(REQUEST, number_format=number_format), tmp_path / "m.safetensors", a, b)
    exact = load_file(a)[FIRST].float() * (1 - 0.3) + load_file(b)[FIRST].float() * 0.3
    assert torch.equal(found[FIRST], exact.to(getattr(torch, number_format)))
    assert found["alphas_cumprod"].dtype == torch.float32, "the noise table keeps its digits"


def test_quantised_models_are_merged_by_what_their_numbers_mean(make: Make, tmp_path: Path) -> None:
    a, b = make("a", 1), make("b", 2)
    write_fp8(tmp_path / "a8.safetensors", load_file(a), scale_name="scale_weight")
    state = open_tensors(tmp_path / "a8.safetensors")
    found = merged(REQUEST, tmp_path / "m.safetensors", tmp_path / "a8.safetensors", b)
    assert torch.equal(found[FIRST], (state[FIRST].float() * (1 - 0.3) + load_file(b)[FIRST] * 0.3).half())


def test_no_interpolation_copies(make: Make, tmp_path: Path) -> None:
    a = make("a", 1)
    found = merged(replace(REQUEST, method=NO_INTERPOLATION, number_format="float16"), tmp_path / "m.safetensors", a)
    assert torch.equal(found[FIRST], load_file(a)[FIRST].half())


def test_a_ckpt_has_the_same_tensors(make: Make, tmp_path: Path) -> None:
    a, b = make("a", 1), make("b", 2)
    plain = merged(REQUEST, tmp_path / "m.safetensors", a, b)
    found = merged(replace(REQUEST, file_format="ckpt"), tmp_path / "m.ckpt", a, b)
    assert set(found) == set(plain)
    assert all(torch.equal(found[key], plain[key]) for key in plain)


def test_a_model_for_inpainting_keeps_its_own_inputs(make: Make, tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    wide = torch.cat([tensors[FIRST], torch.ones(tensors[FIRST].shape[0], 5, 3, 3)], dim=1)
    a, b = make("a", 1, **{FIRST: wide}), make("b", 2)
    planned = plan(REQUEST, sources_of(a, b))
    assert planned.variant == "inpainting"
    found = merged(REQUEST, tmp_path / "m.safetensors", a, b)[FIRST]
    assert torch.equal(found[:, 4:], wide[:, 4:])
    assert torch.equal(found[:, :4], wide[:, :4] * (1 - 0.3) + load_file(b)[FIRST] * 0.3)
    with pytest.raises(BadRequest, match="choose the inpainting model as A"):
        plan(REQUEST, sources_of(b, a))


def test_other_shapes_are_refused_by_name(make: Make) -> None:
    key = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    sources = sources_of(make("a", 1), make("b", 2, **{key: torch.ones(7)}))
    with pytest.raises(BadRequest, match="final_layer_norm"):
        plan(REQUEST, sources)


def test_models_with_nothing_in_common_are_refused(make: Make, tmp_path: Path) -> None:
    save_file({"other.weight": torch.ones(2)}, tmp_path / "b.safetensors")
    with pytest.raises(BadRequest, match="nothing in common"):
        plan(REQUEST, Sources(open_tensors(make("a", 1)), open_tensors(tmp_path / "b.safetensors")))


def test_a_vae_is_baked_in_and_weights_are_discarded(make: Make, tmp_path: Path) -> None:
    a, b, donor = make("a", 1), make("b", 2), make("donor", 3)
    vae = {key.removeprefix("first_stage_model."): value for key, value in load_file(donor).items()
           if key.startswith("first_stage_model.")}  # fmt: skip
    save_file(vae, tmp_path / "vae.safetensors")
    request = replace(REQUEST, discard="^cond_stage_model", vae="vae.safetensors")
    found = merged(request, tmp_path / "m.safetensors", a, b, vae=tmp_path / "vae.safetensors")
    assert not any(key.startswith("cond_stage_model") for key in found)
    assert all(torch.equal(found[f"first_stage_model.{key}"], value) for key, value in vae.items())


def test_a_model_without_a_vae_gets_one(make: Make, tmp_path: Path) -> None:
    whole = load_file(make("whole", 1))
    bare = {key: value for key, value in whole.items() if not key.startswith("first_stage_model.")}
    save_file(bare, tmp_path / "bare.safetensors")
    request = replace(REQUEST, method=NO_INTERPOLATION, vae="whole.safetensors")
    found = merged(
        request, tmp_path / "m.safetensors", tmp_path / "bare.safetensors", vae=tmp_path / "whole.safetensors"
    )
    assert set(found) == set(whole)
    load_checkpoint(tmp_path / "m.safetensors")


def test_old_spellings_of_the_text_encoder_meet(make: Make, tmp_path: Path) -> None:
    b = load_file(make("b", 2))
    old = {key.replace("transformer.text_model.", "transformer."): value for key, value in b.items()}
    save_file(old, tmp_path / "old.safetensors")
    a, key = make("a", 1), "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    found = merged(REQUEST, tmp_path / "m.safetensors", a, tmp_path / "old.safetensors")
    assert torch.equal(found[key], load_file(a)[key] * (1 - 0.3) + b[key] * 0.3)


def test_what_was_stopped_leaves_no_file(make: Make, tmp_path: Path) -> None:
    planned = plan(REQUEST, Sources(open_tensors(make("a", 1)), open_tensors(make("b", 2))))
    before = sorted(tmp_path.iterdir())

    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        planned.write(tmp_path / "m.safetensors", {}, stop)
    assert sorted(tmp_path.iterdir()) == before


def test_names_are_those_of_a1111(make: Make) -> None:
    models = [info_of_file(make(name, 1)) for name in "abc"]
    assert merged_name(REQUEST, models[:2]) == "0.7(a) + 0.3(b).safetensors"
    assert merged_name(replace(REQUEST, method=ADD_DIFFERENCE), models) == "a + 0.3(b - c).safetensors"
    assert merged_name(replace(REQUEST, method=NO_INTERPOLATION), models[:1]) == "a.safetensors"
    assert merged_name(replace(REQUEST, custom_name="x"), models[:2], "inpainting") == "x.inpainting.safetensors"


def test_a_new_file_stays_in_its_folder_and_overwrites_nothing(make: Make, tmp_path: Path) -> None:
    make("a", 1)
    for name in ("../x.safetensors", "/etc/x.safetensors", ".hidden.safetensors", "a.safetensors"):
        with pytest.raises(BadRequest):
            path_for(tmp_path, name)
    assert path_for(tmp_path, "sub/x.safetensors") == tmp_path / "sub/x.safetensors"


def test_the_recipe_is_written_as_a1111_writes_it(make: Make, tmp_path: Path) -> None:
    first = {"sd_merge_models": json.dumps({"0" * 64: {"name": "older"}}), "author": "A"}
    models = [info_of_file(make("a", 1, metadata=first)), info_of_file(make("b", 2))]
    request = replace(REQUEST, metadata='{"author": "me", "tags": ["x"]}')
    hashed = {model.path: replace(model, sha256=str(place) * 64) for place, model in enumerate(models, 1)}
    metadata = merged_metadata(request, models, "", lambda model: hashed[model.path])
    recipe, known = (json.loads(metadata[key]) for key in ("sd_merge_recipe", "sd_merge_models"))
    assert recipe["primary_model_hash"] == "1" * 64
    assert recipe["tertiary_model_hash"] is None
    assert (recipe["interp_method"], recipe["multiplier"], recipe["type"]) == ("Weighted sum", 0.3, "webui")
    assert set(known) == {"0" * 64, "1" * 64, "2" * 64}
    assert known["2" * 64]["name"] == "b.safetensors"
    assert (metadata["author"], json.loads(metadata["tags"]), metadata["format"]) == ("me", ["x"], "pt")
    plan(request, sources_of(*(model.path for model in models))).write(
        tmp_path / "m.safetensors", metadata, lambda done, total: None
    )
    assert read_header(tmp_path / "m.safetensors").metadata == metadata


def test_the_config_of_a_source_is_found(make: Make) -> None:
    models = [info_of_file(make(name, 1)) for name in "ab"]
    assert config_of(REQUEST, models) is None
    (yaml := models[1].path.with_suffix(".yaml")).write_text("model: {}")
    assert config_of(REQUEST, models) == config_of(replace(REQUEST, config_source="B"), models) == yaml
    assert config_of(replace(REQUEST, config_source="Don't"), models) is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"primary": ""}, "model A"),
        ({"secondary": ""}, "model B"),
        ({"method": ADD_DIFFERENCE, "tertiary": ""}, "model C"),
        ({"discard": "("}, "regular expression"),
        ({"metadata": "[1]"}, "JSON object"),
        ({"method": "magic"}, "Interpolation method"),
    ],
)
def test_requests_that_cannot_be_honoured_say_why(changes: dict[str, str], word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        replace(REQUEST, **changes).check()  # type: ignore[arg-type]
