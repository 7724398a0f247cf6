"""The built-in model's workshop: scenes, captions, the checker, training stages and the checkpoint it writes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from tools.mini import captions, check, export, scenes, stages, train, vae
from tools.mini.networks import EOS, TOKENS, tokenize


def some_scenes(count: int, *, unseen: bool = False) -> list[scenes.Scene]:
    rng = random.Random(11)
    return [scenes.random_scene(rng, unseen=unseen) for _ in range(count)]


def test_the_same_seed_draws_the_same_picture() -> None:
    for scene in some_scenes(5):
        assert scenes.draw(scene, 3).tobytes() == scenes.draw(scene, 3).tobytes()
        assert scenes.draw(scene, 3).tobytes() != scenes.draw(scene, 4).tobytes()


def test_training_never_sees_what_is_held_out() -> None:
    assert not any(scenes.held_out(scene) for scene in some_scenes(300))
    assert all(scenes.held_out(scene) for scene in some_scenes(50, unseen=True))
    seen = some_scenes(2000)
    assert {(s.kind) for s in seen} == set(scenes.KINDS)
    assert {s.colour for s in seen} == set(scenes.COLOURS)


def test_captions_name_the_attributes_they_claim_to_name() -> None:
    rng = random.Random(2)
    words_for: dict[str, dict[str, tuple[str, ...]]] = {
        "sky": {"day": ("day",), "sunset": ("sunset",), "night": ("night",)},
        "position": {"left": ("left",), "right": ("right",), "centre": ("centre", "center", "middle")},
        "size": captions.SIZE_WORDS,
    }
    for scene in some_scenes(300):
        caption = captions.caption(scene, rng)
        for name in caption.said:
            value = getattr(scene, name)
            if name == "count":
                assert scene.count == 1 or any(word in caption.text for word in captions.NUMBERS[scene.count])
            elif name in words_for:
                assert any(word in caption.text for word in words_for[name][value]), (caption, scene)
            else:
                assert value in caption.text, (caption, scene)


def test_a_caption_says_nothing_of_what_it_leaves_out() -> None:
    rng = random.Random(3)
    for scene in some_scenes(300):
        caption = captions.caption(scene, rng, filler=False)
        if "colour" not in caption.said:
            assert not any(colour in caption.text for colour in scenes.COLOURS)
        if "ground" not in caption.said:
            assert not any(ground in caption.text.split() for ground in scenes.GROUNDS)


@pytest.mark.parametrize("unseen", [False, True])
def test_the_checker_reads_drawn_scenes(unseen: bool) -> None:
    asked = some_scenes(150, unseen=unseen)
    found = [check.look(scenes.draw(scene, seed)) for seed, scene in enumerate(asked)]
    for name in ("sky", "ground", "colour", "kind", "count"):
        right = sum(getattr(a, name) == getattr(f, name) for a, f in zip(asked, found, strict=True))
        assert right >= 0.98 * len(asked), name


def test_the_checker_finds_nothing_in_an_empty_scene() -> None:
    seen = check.look(scenes.empty("sunset", "water", 256))
    assert (seen.sky, seen.ground, seen.kind, seen.count) == ("sunset", "water", None, 0)


def test_tokens_are_padded_with_the_end_token() -> None:
    tokens = tokenize(["a red house", ""])
    assert tokens.shape == (2, TOKENS)
    assert tokens[0, :5].tolist() == [49406, 320, 736, 1212, EOS]
    assert set(tokens[1, 1:].tolist()) == {EOS}


def test_colours_pass_the_untrained_autoencoder() -> None:
    torch.manual_seed(0)
    network = vae.build_vae()
    vae.give_colours_a_path(network)
    flat = torch.tensor([0.8, -0.5, 0.1])[None, :, None, None].expand(1, 3, 32, 32)
    with torch.no_grad():
        mean = network.encode(flat).latent_dist.mean
        restored = network.decode(mean).sample
    assert torch.allclose(mean[0, :3, 1, 1], flat[0, :, 0, 0], atol=0.02)
    assert torch.allclose(restored, flat, atol=0.03)


def test_normalised_latents_draw_the_same_picture() -> None:
    torch.manual_seed(0)
    network = vae.build_vae()
    vae.give_colours_a_path(network)
    pixels = vae.pictures(random.Random(0), 4, 64)
    with torch.no_grad():
        before = network.decode(network.encode(pixels).latent_dist.mean).sample
        vae.normalise_latents(network, pixels)
        mean = network.encode(pixels).latent_dist.mean
        after = network.decode(mean).sample
    assert torch.allclose(before, after, atol=1e-3)
    assert torch.allclose((mean * vae.SCALE).std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3)


@pytest.fixture(scope="module")
def untrained() -> export.Networks:
    torch.manual_seed(0)
    return export.Networks.untrained()


def test_the_file_gives_back_the_same_networks(untrained: export.Networks, tmp_path: Path) -> None:
    file = tmp_path / "mini.safetensors"
    export.write(untrained, file)
    assert file.stat().st_size < 40_000_000
    again = export.read(file)
    for before, after in zip(
        (untrained.text, untrained.unet, untrained.vae), (again.text, again.unet, again.vae), strict=True
    ):
        assert all(
            torch.equal(value.half().float(), after.state_dict()[name]) for name, value in before.state_dict().items()
        )


def test_the_file_has_the_names_of_an_sd_1_file(untrained: export.Networks) -> None:
    tensors = export.file_tensors(untrained)
    for name, shape in {
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (64, 128),
        "model.diffusion_model.middle_block.1.proj_in.weight": (128, 128, 1, 1),
        "model.diffusion_model.output_blocks.1.1.conv.weight": (128, 128, 3, 3),
        "first_stage_model.decoder.mid.attn_1.q.weight": (128, 128, 1, 1),
        "first_stage_model.encoder.down.0.downsample.conv.weight": (64, 64, 3, 3),
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 128),
    }.items():
        assert tuple(tensors[name].shape) == shape, name
    assert all(
        name.startswith(("model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."))
        or name in ("betas", "alphas_cumprod")
        for name in tensors
    )


def small_stage() -> stages.Stage:
    torch.manual_seed(4)
    network = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 1))

    def loss(draws: stages.Draws) -> Tensor:
        x = torch.randn(5, 3, generator=draws.noise) * draws.python.uniform(0.5, 1.5)
        return functional.mse_loss(network(x), x.sum(dim=1, keepdim=True))

    return stages.Stage("small", network, loss, steps=12, rate=1e-2, warm_up=3)


def test_an_interrupted_stage_goes_on_with_the_same_next_step(tmp_path: Path) -> None:
    straight, first, second = small_stage(), small_stage(), small_stage()
    losses = [straight.advance() for _ in range(8)]
    assert [first.advance() for _ in range(5)] == losses[:5]
    first.save(tmp_path / "small.pt")
    second.load(tmp_path / "small.pt")
    assert [second.advance() for _ in range(3)] == losses[5:]
    assert all(torch.equal(value, second.average[name]) for name, value in straight.average.items())


def test_a_finished_stage_leaves_the_average_in_the_network(tmp_path: Path) -> None:
    stage = small_stage()
    stages.run_stage(stage, tmp_path / "small.pt")
    assert stage.done == 12 and stage.rate_at(11) < 0.1 * stage.rate_at(5)
    assert all(torch.equal(value, stage.average[name]) for name, value in stage.network.state_dict().items())


def test_all_stages_of_a_very_short_run(tmp_path: Path) -> None:
    recipe = train.Recipe(
        size=64, vae_steps=2, vae_batch=2, text_steps=2, text_batch=4, unet_steps=2, unet_batch=2, scenes_at_first=32
    )
    encoder = train.train_vae(recipe, tmp_path)
    train.train_unet(recipe, tmp_path, encoder, train.train_text(recipe, tmp_path))
    networks, steps = train.networks_so_far(tmp_path)
    assert steps == 2
    export.write(networks, tmp_path / "mini.safetensors", {"steps": str(steps)})
    with safe_open(tmp_path / "mini.safetensors", "pt") as file:
        assert file.metadata()["steps"] == "2"
