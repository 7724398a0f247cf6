"""Pictures of other programs tell their parameters, and broken ones tell nothing instead of failing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.generation.foreign.texts import infotext_of
from modules.generation.infotext import parse
from modules.generation.restore import Restored, restore
from modules.imaging.metadata import Metadata

SIZE = (832, 1216)


def told(**items: Any) -> Restored:
    """What is restored from a picture with these texts; objects are stored as JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in items.items()}
    text = infotext_of(Metadata(texts.get("parameters"), texts, SIZE))
    assert text is not None
    return restore(parse(text))


def test_a1111_text_is_taken_as_it_is() -> None:
    text = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
    assert infotext_of(Metadata(text, {"parameters": text}, SIZE)) == text
    assert infotext_of(Metadata("just a comment", {"comment": "just a comment"}, SIZE)) == "just a comment"
    assert infotext_of(Metadata(None, {}, SIZE)) is None


def test_novelai() -> None:
    comment = {
        "uc": "lowres",
        "steps": 28,
        "sampler": "k_dpmpp_2m",
        "scale": 11,
        "seed": 123,
        "noise_schedule": "karras",
    }
    back = told(Software="NovelAI", Description="1girl, {masterpiece}", Comment=comment)
    request = back.request
    assert (request.prompt, request.negative_prompt) == ("1girl, {masterpiece}", "lowres")
    assert (request.sampler, request.scheduler, request.steps) == ("DPM++ 2M", "Automatic", 28)
    assert (request.cfg_scale, request.seed, request.width, request.height) == (11, 123, *SIZE)
    assert request.settings == {"CLIP_stop_at_last_layers": 2, "eta_noise_seed_delta": 31337}


def test_novelai_text_is_that_of_a1111() -> None:
    comment = {"uc": "lowres", "steps": 28, "sampler": "something new", "scale": 11, "seed": 123}
    items = {"Software": "NovelAI", "Description": "1girl", "Comment": json.dumps(comment)}
    text = infotext_of(Metadata(None, items, SIZE))
    assert text is not None
    assert text.removesuffix(", Version: NovelAI") == (
        "1girl\nNegative prompt: lowres\nSteps: 28, Sampler: something new, CFG scale: 11, Seed: 123, "
        "Size: 832x1216, Clip skip: 2, ENSD: 31337"
    )


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def graph(**more: Any) -> dict[str, Any]:
    """The graph that ComfyUI shows first, with a LoRA, a VAE and a clip skip."""
    return {
        "3": node(
            "KSampler",
            seed=42,
            steps=25,
            cfg=6.5,
            sampler_name="dpmpp_2m_sde_gpu",
            scheduler="karras",
            denoise=1.0,
            model=["10", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="sdxl/animagine.safetensors"),
        "5": node("EmptyLatentImage", width=640, height=960, batch_size=1),
        "6": node("CLIPTextEncode", text="a (red:1.2) fox", clip=["11", 0]),
        "7": node("CLIPTextEncode", text="blurry", clip=["11", 0]),
        "8": node("VAEDecode", samples=["3", 0], vae=["12", 0]),
        "9": node("SaveImage", images=["8", 0]),
        "10": node("LoraLoader", lora_name="x\\detail.safetensors", strength_model=0.75, model=["4", 0], clip=["4", 1]),
        "11": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["10", 1]),
        "12": node("VAELoader", vae_name="fix.vae.pt"),
        **more,
    }


def test_comfyui() -> None:
    back = told(prompt=graph())
    request = back.request
    assert request.prompt == "a (red:1.2) fox <lora:detail:0.75>"
    assert request.negative_prompt == "blurry"
    assert (request.sampler, request.scheduler) == ("DPM++ 2M SDE", "Karras")
    assert (request.steps, request.cfg_scale, request.seed) == (25, 6.5, 42)
    assert (request.width, request.height) == (640, 960)
    assert request.settings["sd_vae"] == "fix.vae.pt"
    assert request.settings["CLIP_stop_at_last_layers"] == 2
    assert request.hires is None


def test_comfyui_values_may_come_from_other_nodes() -> None:
    nodes = graph()
    nodes["3"]["inputs"].update(seed=["20", 0], positive=["21", 0])
    nodes["20"] = node("Seed (rgthree)", seed=99)
    nodes["21"] = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["22", 0])
    nodes["22"] = node("CLIPTextEncode", text=["23", 0], clip=["4", 1])
    nodes["23"] = node("PrimitiveString", value="in the snow")
    request = told(prompt=nodes).request
    assert request.seed == 99
    assert request.prompt == "a (red:1.2) fox, in the snow <lora:detail:0.75>"


def test_comfyui_of_many_parts() -> None:
    nodes = {
        "1": node("UNETLoader", unet_name="flux1-dev.safetensors"),
        "2": node("CLIPTextEncodeFlux", clip_l="a fox", t5xxl="a fox", guidance=3.5),
        "3": node("BasicGuider", model=["1", 0], conditioning=["2", 0]),
        "4": node("RandomNoise", noise_seed=7),
        "5": node("KSamplerSelect", sampler_name="euler"),
        "6": node("BasicScheduler", scheduler="simple", steps=20, denoise=1, model=["1", 0]),
        "7": node("EmptySD3LatentImage", width=1024, height=768, batch_size=1),
        "8": node(
            "SamplerCustomAdvanced",
            **{
                name: [number, 0]
                for name, number in zip(("noise", "guider", "sampler", "sigmas", "latent_image"), "43567", strict=True)
            },
        ),
    }
    request = told(prompt=nodes).request
    assert (request.prompt, request.seed, request.steps) == ("a fox", 7, 20)
    assert (request.sampler, request.scheduler) == ("Euler", "Simple")
    assert (request.width, request.height) == (1024, 768)


def test_a_second_sampler_is_the_hires_pass() -> None:
    nodes = graph(
        **{
            "30": node("LatentUpscaleBy", upscale_method="nearest-exact", scale_by=1.5, samples=["3", 0]),
            "31": node(
                "KSampler",
                seed=43,
                steps=12,
                cfg=6.5,
                sampler_name="euler",
                scheduler="normal",
                denoise=0.5,
                model=["10", 0],
                positive=["6", 0],
                negative=["7", 0],
                latent_image=["30", 0],
            ),
        }
    )
    request = told(prompt=nodes).request
    assert (request.seed, request.steps, request.denoising_strength) == (42, 25, 0.5)
    hires = request.hires
    assert hires is not None
    assert (hires.scale, hires.steps, hires.upscaler) == (1.5, 12, "Latent")
    assert (hires.sampler, hires.scheduler) == ("Euler", "Normal")


def test_comfyui_workflow_alone() -> None:
    workflow = {
        "nodes": [
            {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["mini.safetensors"]},
            {"id": 2, "type": "CLIPTextEncode", "widgets_values": ["a fox"], "inputs": [{"name": "clip", "link": 5}]},
            {"id": 3, "type": "CLIPTextEncode", "widgets_values": ["bad"], "inputs": [{"name": "clip", "link": 5}]},
            {"id": 4, "type": "EmptyLatentImage", "widgets_values": [512, 768, 1]},
            {
                "id": 5,
                "type": "KSampler",
                "widgets_values": [11, "randomize", 30, 8, "euler_ancestral", "normal", 1],
                "inputs": [
                    {"name": name, "link": link}
                    for name, link in (("model", 1), ("positive", 2), ("negative", 3), ("latent_image", 4))
                ],
            },
            {"id": 6, "type": "KSampler", "mode": 4, "widgets_values": [1, "fixed", 1, 1, "ddim", "simple", 1]},
        ],
        "links": [
            [1, 1, 0, 5, 0, "MODEL"],
            [2, 2, 0, 5, 1, "C"],
            [3, 3, 0, 5, 2, "C"],
            [4, 4, 0, 5, 3, "L"],
            [5, 1, 1, 2, 0, "CLIP"],
        ],
    }
    request = told(workflow=workflow).request
    assert (request.prompt, request.negative_prompt, request.seed) == ("a fox", "bad", 11)
    assert (request.sampler, request.scheduler, request.steps) == ("Euler a", "Normal", 30)
    assert (request.width, request.height) == (512, 768)


def test_graphs_that_bite_their_tail_end() -> None:
    nodes = graph()
    nodes["6"]["inputs"]["text"] = ["6", 0]
    nodes["10"]["inputs"]["model"] = ["10", 0]
    nodes["5"]["inputs"]["width"] = ["5", 0]
    assert told(prompt=nodes).request.steps == 25


@pytest.mark.timeout(60)
def test_graphs_that_multiply_end() -> None:
    nodes = graph()
    nodes["3"]["inputs"]["positive"] = ["c0", 0]
    for layer in range(300):
        below = [f"c{layer + 1}", 0]
        nodes[f"c{layer}"] = node("ConditioningCombine", conditioning_1=below, conditioning_2=below)
    assert told(prompt=nodes).request.negative_prompt == "blurry"


FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)",
    "base_model": "juggernautXL_v8Rundiffusion",
    "base_model_hash": "aeb7e9e689",
    "clip_skip": 2,
    "full_negative_prompt": ["ugly", "unrealistic"],
    "full_prompt": ["a fox, cinematic", "a fox"],
    "guidance_scale": 4.0,
    "loras": [["sd_xl_offset_example-lora_1.0", 0.1, "4852686128"]],
    "metadata_scheme": "fooocus",
    "negative_prompt": "ugly",
    "performance": "Speed",
    "prompt": "a fox",
    "refiner_model": "None",
    "refiner_switch": 0.5,
    "resolution": "(896, 1152)",
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "seed": "8124",
    "sharpness": 2.0,
    "styles": "['Fooocus V2', 'Fooocus Sharp']",
    "vae": "Default (model)",
    "version": "Fooocus v2.5.0",
}


@pytest.mark.parametrize("place", ["parameters", "exif comment"])
def test_fooocus(place: str) -> None:
    back = told(**{place: FOOOCUS, "fooocus_scheme": "fooocus"})
    request = back.request
    assert request.prompt == "a fox <lora:sd_xl_offset_example-lora_1.0:0.1>"
    assert request.negative_prompt == "ugly"
    assert (request.sampler, request.scheduler) == ("DPM++ 2M SDE", "Karras")
    assert (request.steps, request.cfg_scale, request.seed) == (30, 4.0, 8124)
    assert (request.width, request.height) == (896, 1152)
    assert request.refiner is None
    assert back.unknown["Fooocus styles"] == "Fooocus V2, Fooocus Sharp"


def test_fooocus_of_before_2_2() -> None:
    old = {
        "Prompt": "a fox",
        "Negative Prompt": "ugly",
        "Performance": "Quality",
        "Resolution": "(896, 1152)",
        "Guidance Scale": 7,
        "Base Model": "sd_xl_base.safetensors",
        "Refiner Model": "sd_xl_refiner.safetensors",
        "Refiner Switch": 0.8,
        "Sampler": "euler",
        "Scheduler": "normal",
        "Seed": 5,
        "LoRA 1": "offset.safetensors : 0.25",
    }
    request = told(Comment=old).request
    assert request.prompt == "a fox <lora:offset:0.25>"
    assert (request.steps, request.sampler, request.scheduler) == (60, "Euler", "Normal")
    assert request.refiner is not None
    assert (request.refiner.checkpoint, request.refiner.switch_at) == ("sd_xl_refiner", 0.8)


def test_fooocus_in_a1111s_scheme() -> None:
    text = (
        "a fox\nNegative prompt: ugly\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 8124, Size: 896x1152, "
        'CFG scale: 4, Sharpness: 2, ADM Guidance: "(1.5, 0.8, 0.3)", Version: Fooocus v2.5.0'
    )
    back = told(parameters=text, fooocus_scheme="a1111")
    assert (back.request.sampler, back.request.scheduler) == ("DPM++ 2M SDE", "Karras")
    assert back.unknown["ADM Guidance"] == "(1.5, 0.8, 0.3)"


def test_invokeai() -> None:
    metadata = {
        "positive_prompt": "a fox",
        "negative_prompt": "bad",
        "width": 512,
        "height": 640,
        "seed": 12,
        "cfg_scale": 7.5,
        "steps": 30,
        "scheduler": "dpmpp_2m_k",
        "clip_skip": 1,
        "model": {"name": "dreamshaper", "hash": "blake3:abcdef", "base": "sd-1"},
        "loras": [{"model": {"name": "detail"}, "weight": 0.5}],
    }
    request = told(invokeai_metadata=metadata).request
    assert (request.prompt, request.negative_prompt) == ("a fox <lora:detail:0.5>", "bad")
    assert (request.sampler, request.scheduler) == ("DPM++ 2M", "Automatic")
    assert (request.steps, request.seed, request.width, request.height) == (30, 12, 512, 640)
    assert request.settings == {"CLIP_stop_at_last_layers": 2}


def test_invokeai_of_before_3() -> None:
    image = {
        "prompt": [{"prompt": "a fox [bad hands]", "weight": 1}],
        "steps": 50,
        "cfg_scale": 7.5,
        "sampler": "k_lms",
    }
    metadata = {"model_weights": "sd-1.4", "image": {**image, "seed": 3, "width": 512, "height": 512}}
    request = told(**{"sd-metadata": metadata}).request
    assert (request.prompt, request.negative_prompt, request.sampler) == ("a fox", "bad hands", "LMS")


def test_swarmui() -> None:
    values = {
        "prompt": "a fox",
        "negativeprompt": "bad",
        "model": "OfficialStableDiffusion/sd_xl_base_1.0",
        "seed": 77,
        "steps": 20,
        "cfgscale": 7.0,
        "width": 1024,
        "height": 1024,
        "sampler": "euler",
        "scheduler": "normal",
        "loras": ["detail"],
        "loraweights": ["0.5"],
    }
    request = told(parameters={"sui_image_params": values}).request
    assert (request.prompt, request.seed, request.sampler) == ("a fox <lora:detail:0.5>", 77, "Euler")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["prompt", "workflow", "parameters", "Comment", "invokeai_metadata", "sd-metadata"]), st.data())
def test_nothing_makes_reading_fail(key: str, data: st.DataObject) -> None:
    """Every value of a good picture is replaced by anything, one at a time."""
    good: dict[str, Any] = {
        "prompt": graph()["3"]["inputs"],
        "parameters": FOOOCUS,
        "Comment": {"steps": 1, "sampler": "k_lms", "scale": 1, "seed": 1, "uc": "x", "strength": 1},
        "invokeai_metadata": {"model": {}, "vae": {}, "loras": [{}], "scheduler": "x", "clip_skip": 1, "width": 1},
        "sd-metadata": {"image": {"prompt": [{}]}, "model_hash": "x"},
        "workflow": {"nodes": [{"id": 1, "type": "KSampler", "inputs": [{}], "widgets_values": []}], "links": [[1]]},
    }
    values = dict(good[key])
    values[data.draw(st.sampled_from(sorted(values)))] = data.draw(json_values)
    if key == "prompt":
        values = {**graph(), "3": {"class_type": "KSampler", "inputs": values}}
    items = {key: json.dumps(values), "Software": "NovelAI" if key == "Comment" else ""}
    text = infotext_of(Metadata(items.get("parameters"), items, SIZE))
    restore(parse(text or ""))


@given(st.dictionaries(st.sampled_from(["prompt", "workflow", "parameters", "Software", "Comment"]), st.text()))
def test_texts_that_are_no_json_are_no_graphs(items: dict[str, str]) -> None:
    infotext_of(Metadata(items.get("parameters"), items, SIZE))
