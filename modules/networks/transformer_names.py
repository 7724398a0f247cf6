"""What the original code of transformers calls the modules that diffusers built, from their paths alone.

Network files use either spelling, whichever way the checkpoint itself is laid out (a folder, GGUF, …), so the names do
not depend on its file. Source: black-forest-labs/flux, Stability-AI/sd3.5, diffusers' conversion scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Names = dict[str, "str | tuple[str, ...]"]
_BLOCK = re.compile(r"((?:single_)?transformer_blocks)\.(\d+)\.")

# Original -> diffusers. Several: the original keeps their rows in one matrix, in this order.
DOUBLE: Mapping[str, tuple[str, ...]] = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
}
SINGLE: Mapping[str, tuple[str, ...]] = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "modulation.lin": ("norm.linear",),
}
# The halves of the last layer's modulation change places on the way to diffusers, so it has no name here.
FLUX: Mapping[str, str] = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    **{
        f"{old}.{layer}": f"time_text_embed.{new}_embedder.linear_{number}"
        for old, new in (("time_in", "timestep"), ("vector_in", "text"), ("guidance_in", "guidance"))
        for number, layer in enumerate(("in_layer", "out_layer"), 1)
    },
}
JOINT: Mapping[str, tuple[str, ...]] = {
    **{
        f"{block}.{old}": new
        for block, ours in (
            ("x_block", (DOUBLE["img_attn.qkv"], DOUBLE["img_attn.proj"], "ff", "norm1")),
            ("context_block", (DOUBLE["txt_attn.qkv"], DOUBLE["txt_attn.proj"], "ff_context", "norm1_context")),
        )
        for old, new in (
            ("attn.qkv", ours[0]),
            ("attn.proj", ours[1]),
            ("mlp.fc1", (f"{ours[2]}.net.0.proj",)),
            ("mlp.fc2", (f"{ours[2]}.net.2",)),
            ("adaLN_modulation.1", (f"{ours[3]}.linear",)),
        )
    },
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
    "x_block.attn2.proj": ("attn2.to_out.0",),
}
SD3: Mapping[str, str] = {
    "x_embedder.proj": "pos_embed.proj",
    "final_layer.linear": "proj_out",
    **{
        f"{old}.mlp.{place}": f"time_text_embed.{new}_embedder.linear_{number}"
        for old, new in (("t_embedder", "timestep"), ("y_embedder", "text"))
        for number, place in ((1, 0), (2, 2))
    },
}


def originals_of_paths(paths: Iterable[str]) -> Names:
    """Original name -> path, or paths whose rows it joins, for networks of the layout of FLUX.1 (Chroma too) and SD 3;
    nothing for others."""
    known = set(paths)
    if not any(path.endswith(".attn.add_q_proj") for path in known):
        return {}
    is_sd3 = "pos_embed.proj" in known
    found: Names = {old: new for old, new in (SD3 if is_sd3 else FLUX).items() if new in known}
    for kind, number in sorted({match.groups() for path in known if (match := _BLOCK.match(path))}):
        if kind.startswith("single"):
            old, table = "single_blocks", SINGLE
        else:
            old, table = ("joint_blocks", JOINT) if is_sd3 else ("double_blocks", DOUBLE)
        for name, parts in table.items():
            places = tuple(f"{kind}.{number}.{part}" for part in parts)
            if all(place in known for place in places):
                found[f"{old}.{number}.{name}"] = places[0] if len(places) == 1 else places
    return _without_swapped(found, known) if is_sd3 else found


def _without_swapped(found: Names, known: set[str]) -> Names:
    """The last block's context only ends there: its modulation is swapped, too, and it has no MLP to tell it by."""
    return {
        name: path
        for name, path in found.items()
        if not name.endswith("context_block.adaLN_modulation.1")
        or f"{str(path).removesuffix('norm1_context.linear')}ff_context.net.2" in known
    }
