"""The networks in A1111's shape: the same numbers as without it, and what extensions put in place of parts draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.a1111.conftest import REQUEST

SCRIPT = """
import torch
from modules import scripts, shared

class One(scripts.Script):
    def title(self):
        return "One"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

"""


@pytest.fixture(scope="module")
def studio(hosted_once: Callable[..., Any]) -> Any:
    return hosted_once()


@pytest.fixture
def unet(studio: Any) -> Iterator[Any]:
    """A small UNet of diffusers; its view is made by `as_a1111`, which needs the facades."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(0)
    yield UNet2DConditionModel(
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
    ).eval()


X, T, C = torch.linspace(-1, 1, 2 * 4 * 16 * 16).view(2, 4, 16, 16), torch.tensor([10, 500]), torch.ones(2, 7, 16)


def asked(unet: Any, **more: Any) -> torch.Tensor:
    with torch.no_grad():
        answer: torch.Tensor = unet(X, T, encoder_hidden_states=C, return_dict=False, **more)[0]
    return answer


def test_the_view_says_the_same_to_the_bit(unet: Any) -> None:
    from modules.a1111.engine.unet import as_a1111

    before = asked(unet)
    view = as_a1111(unet)
    assert as_a1111(unet) is view
    assert not view.changed
    assert torch.equal(asked(unet), before)
    with torch.no_grad():
        assert torch.equal(view(X, T, C), before)
    assert (len(view.input_blocks), len(view.output_blocks)) == (6, 6)


def test_so_it_does_with_what_other_networks_add(unet: Any) -> None:
    from modules.a1111.engine.unet import as_a1111

    sizes = [(32, 16)] * 3 + [(32, 8), (64, 8), (64, 8)]
    across = tuple(torch.full((2, channels, side, side), 0.5) for channels, side in sizes)
    middle = torch.ones(2, 64, 8, 8)
    added = {"down_block_additional_residuals": across, "mid_block_additional_residual": middle}
    within = [torch.ones(2, 32, 16, 16), torch.ones(2, 64, 8, 8)]
    wanted = asked(unet, **added), asked(unet, down_intrablock_additional_residuals=list(within))
    view = as_a1111(unet)
    view.register_forward_hook(lambda module, inputs, output: None)
    assert view.changed
    assert torch.equal(asked(unet, **added), wanted[0])
    assert torch.equal(asked(unet, down_intrablock_additional_residuals=within), wanted[1])


def halved(x: torch.Tensor, context: Any = None, mask: Any = None) -> torch.Tensor:
    return x / 2


@pytest.mark.parametrize("name", ["attn1", "attn2"])
def test_attention_that_is_replaced_draws_until_it_is_put_back(unet: Any, name: str) -> None:
    from modules.a1111.engine.unet import as_a1111

    before = asked(unet)
    view = as_a1111(unet)
    found = [layer for key, layer in view.named_modules() if key.endswith(f"transformer_blocks.0.{name}")]
    assert {type(layer).__name__ for layer in found} == {"CrossAttention"}
    original = found[0].forward
    found[0].forward = halved
    assert not torch.equal(asked(unet), before)
    found[0].forward = original
    assert torch.equal(asked(unet), before)
    del found[0].forward
    assert torch.equal(asked(unet), before)
    assert callable(found[0].to_out)


def test_blocks_and_the_whole_may_be_replaced(unet: Any) -> None:
    from modules.a1111.engine.unet import as_a1111

    before = asked(unet)
    view = as_a1111(unet)

    class Scaled(torch.nn.Module):
        def __init__(self, block: torch.nn.Module) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: torch.Tensor, *args: Any) -> torch.Tensor:
            answer: torch.Tensor = self.block(x, *args) * 1.5
            return answer

    block = view.input_blocks[1]
    view.input_blocks[1] = Scaled(block)
    assert not torch.equal(asked(unet), before)
    view.input_blocks[1] = block
    assert torch.equal(asked(unet), before)
    handle = view.middle_block.register_forward_hook(lambda module, inputs, output: output * 0)
    assert not torch.equal(asked(unet), before)
    handle.remove()
    own = view.forward
    view.forward = lambda x, timesteps=None, context=None, **more: own(x, timesteps, context) * 2
    assert torch.equal(asked(unet), before * 2)
    del view.forward
    assert torch.equal(asked(unet), before)


def test_th_cat_joins_the_halves(unet: Any) -> None:
    from modules import sd_hijack_unet
    from modules.a1111.engine.unet import as_a1111

    before = asked(unet)
    as_a1111(unet)
    original = sd_hijack_unet.th.cat
    sd_hijack_unet.th.cat = lambda halves, dim: original([halves[0] * 1.1, halves[1]], dim=dim)
    assert not torch.equal(asked(unet), before)
    del sd_hijack_unet.th.cat
    assert torch.equal(asked(unet), before)
    assert original([torch.ones(1, 1, 3, 3), torch.ones(1, 1, 4, 4)], dim=1).shape == (1, 2, 4, 4)


def test_names_of_the_original_code_are_those_that_draw(unet: Any) -> None:
    from ldm.modules.attention import BasicTransformerBlock, CrossAttention, SpatialTransformer, default
    from ldm.modules.diffusionmodules.openaimodel import (
        ResBlock,
        TimestepEmbedSequential,
        UNetModel,
        timestep_embedding,
    )
    from sgm.modules.attention import CrossAttention as same

    from modules.a1111.engine.unet import as_a1111

    view = as_a1111(unet)
    kinds = [type(layer) for layer in view.modules()]
    for kind in (
        BasicTransformerBlock,
        CrossAttention,
        SpatialTransformer,
        ResBlock,
        TimestepEmbedSequential,
        UNetModel,
    ):
        assert any(issubclass(one, kind) for one in kinds), kind
    assert same is CrossAttention
    assert default(None, lambda: 3) == 3
    wanted = unet.time_proj(T)
    torch.testing.assert_close(timestep_embedding(T, 32), wanted)


def test_steps_of_k_diffusion(studio: Any) -> None:
    from k_diffusion import sampling, utils

    x, denoised, sigma = torch.full((2, 1, 1, 1), 3.0), torch.ones(2, 1, 1, 1), torch.tensor([2.0, 4.0])
    torch.testing.assert_close(sampling.to_d(x, sigma, denoised).flatten(), torch.tensor([1.0, 0.5]))
    down, up = sampling.get_ancestral_step(2.0, 1.0)
    assert down**2 + up**2 == pytest.approx(1.0)
    assert utils.append_dims(sigma, 4).shape == (2, 1, 1, 1)
    with pytest.raises(ValueError, match="less"):
        utils.append_dims(x, 2)


def pixels(job: Any) -> np.ndarray:
    return np.asarray(Image.open(job.result["images"][0]["path"]))


def pictures(hosted: Callable[..., Any], code: str) -> tuple[np.ndarray, np.ndarray, Any]:
    """Without and with the script "One" of that code, and the studio."""
    one = hosted(one=SCRIPT + code)
    made = []
    for on in (False, True):
        job = one.draw(REQUEST.with_(scripts={"One": (on,)}))
        assert job.state == "done", job.error
        made.append(pixels(job))
    return made[0], made[1], one


UI = """
    def ui(self, is_img2img):
        import gradio as gr
        return [gr.Checkbox(False)]
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            """
    def process(self, p, on):
        if on:
            # Nobody has drawn yet, and still there is a model to reach into.
            model = p.sd_model.model.diffusion_model
            self.found = [one for name, one in model.named_modules() if type(one).__name__ == "CrossAttention"]
            for one in self.found:
                one.forward = lambda x, context=None, mask=None: x * 0

    def postprocess(self, p, processed, on):
        for one in self.found if on else ():
            del one.forward
""",
            id="attention",
        ),
        pytest.param(
            """
    def process(self, p, on):
        from modules.sd_samplers_kdiffusion import KDiffusionSampler

        self.seen = []

        def changed(sampler, d):
            self.seen.append(d["i"])
            d["x"] += 0.5

        KDiffusionSampler.callback_state = changed if on else KDiffusionSampler.__mro__[1].callback_state

    def postprocess(self, p, processed, on):
        from modules.sd_samplers_kdiffusion import KDiffusionSampler

        if on:
            assert self.seen == [0, 1], self.seen
            del KDiffusionSampler.callback_state
""",
            id="callback_state",
        ),
        pytest.param(
            """
    def process(self, p, on):
        if on:
            self.handle = p.sd_model.cond_stage_model.register_forward_hook(lambda module, inputs, output: output * 0.5)

    def postprocess(self, p, processed, on):
        if on:
            self.handle.remove()
""",
            id="text encoder",
        ),
        pytest.param(
            """
    def process(self, p, on):
        from modules import script_callbacks

        def again(params):
            cond = {"c_crossattn": [C[0][None]], "c_concat": [[torch.zeros(1, 5, 1, 1)]]}
            params.x.copy_(params.inner_model(params.x, torch.ones(len(params.x)), cond=cond | {
                "c_crossattn": [C[0].expand(len(params.x), -1, -1)]}))

        C = [shared.sd_model.get_learned_conditioning([""])]
        if on:
            self.again = again
            script_callbacks.on_cfg_denoised(again)

    def postprocess(self, p, processed, on):
        from modules import script_callbacks

        if on:
            script_callbacks.remove_callbacks_for_function(self.again)
""",
            id="inner_model",
        ),
    ],
)
def test_what_is_put_in_place_draws(hosted: Callable[..., Any], code: str) -> None:
    off, on, one = pictures(hosted, UI + code)
    assert [failure.sentence for failure in one.studio.extensions.failures("one")] == []
    assert not np.array_equal(off, on)
    again = one.draw(REQUEST.with_(scripts={"One": (False,)}))
    np.testing.assert_array_equal(pixels(again), off)


@pytest.mark.parametrize(
    "name, code",
    [
        ("p.sample", "        p.sample = lambda *args, **options: None"),
        (
            "CFGDenoiser.forward",
            "        from modules.sd_samplers_cfg_denoiser import CFGDenoiser\n"
            "        CFGDenoiser.forward = lambda self, *args, **options: None",
        ),
    ],
)
def test_what_cannot_be_put_in_place_is_told(hosted: Callable[..., Any], name: str, code: str) -> None:
    one = hosted(one=f"{SCRIPT}    def process(self, p):\n{code}\n")
    job = one.draw()
    assert job.state == "done"
    (sentence,) = [failure.sentence for failure in one.studio.extensions.failures("one")]
    assert all(word in sentence for word in ("one", name, "docs/extensions.md"))
    assert any(name in note for note in job.result["notes"])
