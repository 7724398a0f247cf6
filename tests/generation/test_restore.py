"""What a text says comes back as the request that wrote it; what is not here becomes a note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modules.generation.always_on import SoftInpainting, asked, entries_of
from modules.generation.describe import describe
from modules.generation.infotext import parse
from modules.generation.resources import Here
from modules.generation.restore import Restored, number_of, overrides, restore
from modules.generation.sampler_names import SAMPLER_ALIASES, SAMPLERS, SCHEDULES, SamplerNames
from modules.settings.sections import SETTINGS
from modules.settings.store import Settings
from modules.terms.declare import Choice, Slider, params_of
from modules.terms.errors import NotFound
from modules.terms.request import GenerationRequest, Hires, Refiner
from tests.generation.test_describe import Picture

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768"
NAMES = SamplerNames()
# These are fields of a request as well, and come back as such.
FIELDS_TOO = {"NGMS", "Tiling", "Face restoration", "Model hash", "VAE", "Noise multiplier", "Token merging ratio hr"}
RECORDED = {key: one for key, one in SETTINGS.items() if one.infotext and one.infotext not in FIELDS_TOO}


def clean(text: str) -> str:
    """As in A1111, blanks around lines and empty lines around the whole do not survive."""
    return "\n".join(line.strip() for line in text.split("\n")).strip()


prompts = st.text(st.characters(codec="utf-8"), max_size=60).map(clean)
names = st.from_regex(r"[A-Za-z][\w .,:\"-]{0,20}[A-Za-z]", fullmatch=True)
seeds = st.integers(0, 2**63)
fractions = st.floats(0, 1).map(lambda number: round(number, 4))
samplers = st.sampled_from(sorted(SAMPLERS))
schedules = st.sampled_from(sorted(set(SCHEDULES.values())))


@st.composite
def setting_values(draw: st.DrawFn) -> dict[str, Any]:
    """Values of settings that a text records, other than they have at first."""
    found = {}
    for key in draw(st.lists(st.sampled_from(sorted(RECORDED)), max_size=5, unique=True)):
        one = RECORDED[key]
        if isinstance(one.default, bool):
            found[key] = not one.default
        elif isinstance(one.control, Choice):
            found[key] = draw(st.sampled_from(one.control.choices))
        elif isinstance(one.control, Slider) and float(one.control.step).is_integer():
            found[key] = draw(st.integers(int(one.control.minimum), int(one.control.maximum)))
        else:
            found[key] = draw(st.integers(1, 99999)) if isinstance(one.default, int) else draw(fractions)
    return {key: value for key, value in found.items() if value != SETTINGS[key].default}


@st.composite
def hires_parts(draw: st.DrawFn, sampler: str, schedule: str) -> Hires:
    if draw(st.booleans()):
        size = {"scale": draw(st.floats(1, 4))}
    else:
        size = {"resize_x": draw(st.integers(1, 2048)), "resize_y": draw(st.integers(0, 2048))}
    own_sampler = draw(st.just("") | samplers.filter(lambda one: one != sampler))
    return Hires(
        upscaler=draw(st.sampled_from(["Latent", "None", "R-ESRGAN 4x+"])),
        steps=draw(st.integers(0, 150)),
        checkpoint=draw(st.just("") | names),
        sampler=own_sampler,
        scheduler=draw(st.just("") | schedules.filter(lambda one: one != schedule)),
        prompt=draw(prompts),
        negative_prompt=draw(prompts),
        **size,
    )


@st.composite
def requests(draw: st.DrawFn) -> GenerationRequest:
    """Resolved requests: seeds chosen, names completed, a schedule that is the sampler's own called Automatic."""
    sampler, schedule = NAMES.resolve(draw(samplers), draw(schedules))
    hires = draw(st.none() | hires_parts(sampler, schedule))
    strength = draw(st.sampled_from([0.0, 0.25]))
    resized = draw(st.booleans())
    return GenerationRequest(
        prompt=draw(prompts),
        negative_prompt=draw(prompts),
        steps=draw(st.integers(1, 150)),
        sampler=sampler,
        scheduler=schedule,
        cfg_scale=draw(st.integers(1, 30) | st.floats(1, 30)),
        seed=draw(seeds),
        subseed=draw(seeds) if strength else -1,
        subseed_strength=strength,
        seed_resize_from_w=draw(st.integers(1, 2048)) if resized else 0,
        seed_resize_from_h=draw(st.integers(1, 2048)) if resized else 0,
        width=draw(st.integers(64, 2048)),
        height=draw(st.integers(64, 2048)),
        denoising_strength=draw(fractions) if hires else None,
        restore_faces=draw(st.none() | st.just(True)),
        tiling=draw(st.none() | st.just(True)),
        s_min_uncond=draw(st.none() | fractions),
        checkpoint=draw(st.none() | names),
        hires=hires,
        refiner=draw(st.none() | st.builds(Refiner, names, fractions)),
        settings=draw(setting_values()),
        scripts=draw(st.just({}) | soft_inpainting()),
    )


@st.composite
def soft_inpainting(draw: st.DrawFn) -> dict[str, tuple[Any, ...]]:
    """Arguments of the built-in script, turned on."""
    controls = [declared.control for declared in params_of(SoftInpainting).values()]
    values = [draw(st.floats(one.minimum, one.maximum)) for one in controls if isinstance(one, Slider)]
    return {"Soft Inpainting": (True, *values)}


def shown(request: GenerationRequest) -> Picture:
    hires = request.hires
    return Picture(
        request.prompt,
        request.negative_prompt,
        request.seed,
        request.subseed,
        (hires and hires.prompt) or request.prompt,
        (hires and hires.negative_prompt) or request.negative_prompt,
    )


def found_while_drawing(request: GenerationRequest) -> dict[str, Any]:
    """The entries that a run adds for settings that it made use of."""
    found = {SETTINGS[key].infotext: value for key, value in request.settings.items()}
    if request.refiner:
        found |= {"Refiner": request.refiner.checkpoint, "Refiner switch at": request.refiner.switch_at}
    return found | {"NGMS": request.s_min_uncond}


def script_entries(request: GenerationRequest) -> dict[str, Any]:
    soft = asked(request, SoftInpainting)
    return entries_of(soft) if soft else {}


OPEN = Settings().with_flat({"disable_weights_auto_swap": False})


def there_and_back(request: GenerationRequest, settings: Settings = OPEN) -> Restored:
    text = describe(
        request,
        shown(request),
        settings.with_flat(request.settings),
        model={"name": request.checkpoint},
        extra=found_while_drawing(request),
        scripts=script_entries(request),
        version="atelier-0.1.0",
    )
    return restore(parse(text, settings=settings), settings=settings)


@given(requests())
@example(GenerationRequest(seed=1, hires=Hires(), denoising_strength=0.5, settings={"token_merging_ratio": 0.5}))
def test_what_is_written_is_the_request_that_comes_back(request: GenerationRequest) -> None:
    hires = request.hires
    if hires:
        # A prompt equal to the first pass's is not written, and means the same when it is empty.
        hires = Hires(
            **{
                **vars(hires),
                "prompt": "" if hires.prompt == request.prompt else hires.prompt,
                "negative_prompt": ("" if hires.negative_prompt == request.negative_prompt else hires.negative_prompt),
            }
        )
    back = there_and_back(request)
    assert back.notes == ()
    assert back.unknown == {}
    ratio = request.settings.get("token_merging_ratio")
    # As in A1111, the ratio of the hires pass is written even where it is only taken over.
    taken_over = {"token_merging_ratio_hr": ratio} if hires and ratio else {}
    assert back.request == request.with_(hires=hires, settings={**request.settings, **taken_over})


def test_numbers_come_back_as_they_were_written() -> None:
    for scale in (7, 7.0, 5.5):
        back = there_and_back(GenerationRequest(seed=1, cfg_scale=scale)).request.cfg_scale
        assert repr(back) == repr(scale)
    assert [number_of(text) for text in ("7", "7.0", "1e-3", "x", "nan", "inf", None, "1" * 400)] == [
        *(7, 7.0, 0.001),
        *(None, None, None, None, None),
    ]


def test_overrides_are_those_of_a1111(parity: Path) -> None:
    now = Settings().with_flat({"randn_source": "CPU"})
    cases = json.loads((parity / "texts" / "infotext.json").read_text(encoding="utf-8"))
    for case in cases:
        found = overrides(parse(case["infotext"], json_values=False), now)
        assert [list(one) for one in found] == case["override_settings"]


def test_what_nobody_knows_is_kept() -> None:
    text = f'p\n{LINE}, Dynamo model: face.pt, Dynamo prompt: "a, b", Version: v1.10.1'
    assert restore(parse(text)).unknown == {"Dynamo model": "face.pt", "Dynamo prompt": "a, b"}


def test_fields_that_are_not_mentioned_stay() -> None:
    base = GenerationRequest(prompt="old", width=640, batch_size=3, tiling=True)
    back = restore(parse(f"new\n{LINE}"), base=base).request
    assert (back.prompt, back.width, back.batch_size, back.tiling) == ("new", 512, 3, True)


def test_img2img_text_does_not_turn_hires_on() -> None:
    text = f"p\n{LINE}, Denoising strength: 0.6, Mask blur: 8, Mask mode: Inpaint not masked, Masked content: fill"
    back = restore(parse(f"{text}, Inpaint area: Only masked, Masked area padding: 16"))
    assert back.request.hires is None
    assert back.request.denoising_strength == 0.6
    assert back.mask == {"blur_x": 8, "blur_y": 8, "invert": True, "fill": 0, "only_masked": True, "padding": 16}
    assert back.unknown == {}


class Shelf:
    """Some things are here."""

    def checkpoint(self, name: str, hash: str) -> Here | None:
        return Here("mini.safetensors [0123456789]") if "mini" in (name, hash) or hash == "0123456789" else None

    def vae(self, name: str, hash: str) -> Here | None:
        return Here(name) if name == "good.vae" else None

    def lora(self, name: str, hash: str) -> Here | None:
        found = {"111": "local", "": "plain" if name == "plain" else None}.get(hash)
        return Here(found) if found else None

    def embedding(self, name: str, hash: str) -> Here | None:
        return None

    def hypernetwork(self, name: str) -> Here | None:
        return None


def test_missing_things_are_notes_and_change_nothing() -> None:
    text = (
        f"<lora:a:1> <lora:b:0.5> <lora:plain:1>\n{LINE}, Model hash: ffffffffff, Model: big, VAE: gone.vae, "
        f'Lora hashes: "a: 111, b: 222, plain: e3b0c44298fc", Refiner: other [1234567890], Hires upscale: 2, '
        "Denoising strength: 0.5, Hires checkpoint: nowhere"
    ).replace("Euler a", "No Such")
    base = GenerationRequest(checkpoint="mine", sampler="Heun")
    back = restore(parse(text), base=base, settings=OPEN, resources=Shelf())
    assert back.request.prompt == "<lora:local:1> <lora:b:0.5> <lora:plain:1>"
    assert (back.request.checkpoint, back.request.sampler) == ("mine", "Heun")
    assert back.request.refiner is None
    assert back.request.hires.checkpoint == ""
    assert "sd_vae" not in back.request.settings
    notes = " ".join(back.notes)
    for missing in ("'b' (222)", "big [ffffffffff]", "gone.vae", "other", "nowhere", "No Such"):
        assert missing in notes
    assert "plain" not in notes
    assert "'a'" not in notes


def test_things_that_are_here_are_found_by_name_or_hash() -> None:
    text = f"p\n{LINE}, Model hash: 0123456789, Model: renamed, VAE: good.vae, Refiner: mini [0123456789]"
    back = restore(parse(text), settings=OPEN, resources=Shelf())
    assert back.notes == ()
    assert back.request.checkpoint == back.request.refiner.checkpoint == "mini.safetensors [0123456789]"
    assert back.request.settings["sd_vae"] == "good.vae"
    kept = restore(parse(text), resources=Shelf())
    assert kept.request.checkpoint is None


def test_additional_networks_become_tags() -> None:
    text = f"p\n{LINE}, AddNet Enabled: True, AddNet Module 1: LoRA, AddNet Model 1: a(111), AddNet Weight A 1: 0.7"
    back = restore(parse(text), resources=Shelf())
    assert back.request.prompt == "p\n<lora:local:0.7>"
    assert back.unknown == {}


def test_values_that_cannot_be_are_notes() -> None:
    back = restore(parse(f"p\n{LINE}, Emphasis: Loud, Clip skip: many".replace("Steps: 20", "Steps: lots")))
    assert back.request.steps == 20
    assert back.request.settings == {}
    assert sum(name in " ".join(back.notes) for name in ("Emphasis", "Clip skip", "Steps")) == 3


def test_the_beta_schedule_is_restored_from_what_is_written() -> None:
    back = restore(parse(f"p\n{LINE}, Beta schedule alpha: 0.8, Beta schedule beta: 0.3"))
    assert back.request.settings == {"beta_dist_alpha": 0.8, "beta_dist_beta": 0.3}
    assert back.unknown == {}


@pytest.mark.parametrize(
    ("text", "schedule", "resolved"),
    [
        ("DPM++ 2M Karras", "", ("DPM++ 2M", "Automatic")),
        ("DPM++ 2M", "Karras", ("DPM++ 2M", "Automatic")),
        ("DPM++ 2M SDE Heun Exponential", "", ("DPM++ 2M SDE Heun", "Automatic")),
        ("DPM++ 2M SDE Karras", "", ("DPM++ 2M SDE", "Karras")),
        ("Euler SGM Uniform", "", ("Euler", "SGM Uniform")),
        ("Euler SGMUniform", "", ("Euler", "SGM Uniform")),
        ("DDIM CFG++", "", ("DDIM CFG++", "Automatic")),
        ("Euler a", "Automatic", ("Euler a", "Automatic")),
        ("k_euler_ancestral", "", ("Euler a", "Automatic")),
        ("dpmpp_2m_sde_gpu", "karras", ("DPM++ 2M SDE", "Karras")),
        ("euler", "sgm_uniform", ("Euler", "SGM Uniform")),
        ("dpmpp_2m_karras", "", ("DPM++ 2M", "Automatic")),
        ("LMS Karras", "Exponential", ("LMS", "Karras")),
    ],
)
def test_old_and_foreign_sampler_names_are_split(text: str, schedule: str, resolved: tuple[str, str]) -> None:
    assert NAMES.resolve(text, schedule) == resolved


@pytest.mark.parametrize(("sampler", "schedule"), [("Eulr a", ""), ("Euler", "Karas"), ("DPM++ 2M alt Karras", "")])
def test_unknown_names_are_not_guessed(sampler: str, schedule: str) -> None:
    with pytest.raises(NotFound, match="Did you mean"):
        NAMES.resolve(sampler, schedule)


def test_the_table_of_names_is_that_of_the_samplers() -> None:
    pytest.importorskip("torch")
    from modules.diffusion import samplers as _  # noqa: F401 - they register themselves
    from modules.diffusion.sampler import SAMPLERS as REGISTERED
    from modules.diffusion.schedules import SCHEDULES as REGISTERED_SCHEDULES

    own = {one.key: one.label for one in REGISTERED_SCHEDULES}
    assert {one.name: own.get(one.default_schedule, "") for one in REGISTERED} == dict(SAMPLERS)
    assert {one.label for one in REGISTERED_SCHEDULES} == set(SCHEDULES.values())
    for one in REGISTERED:
        for alias in one.aliases:
            assert NAMES.sampler(alias) == one.name
    for one in REGISTERED_SCHEDULES:
        for alias in one.aliases:
            assert NAMES.schedule(alias) == one.label
    assert set(SAMPLER_ALIASES.values()) <= set(SAMPLERS)
