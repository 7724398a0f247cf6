"""ComfyUI's graph as its page saves it -> nodes by id, as its API takes them.

The page keeps the values of a node's widgets in a list without names; the order is known here for common nodes only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDGETS: Mapping[str, tuple[str, ...]] = {
    "KSampler": ("seed", "control_after_generate", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": (
        *("add_noise", "noise_seed", "control_after_generate", "steps", "cfg", "sampler_name", "scheduler"),
        *("start_at_step", "end_at_step", "return_with_leftover_noise"),
    ),
    "SamplerCustom": ("add_noise", "noise_seed", "control_after_generate", "cfg"),
    "RandomNoise": ("noise_seed", "control_after_generate"),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "CFGGuider": ("cfg",),
    "CLIPTextEncode": ("text",),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "LatentUpscale": ("upscale_method", "width", "height", "crop"),
    "LatentUpscaleBy": ("upscale_method", "scale_by"),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "VAELoader": ("vae_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "UpscaleModelLoader": ("model_name",),
    "PrimitiveNode": ("value",),
}
# Nodes that are switched off: muted, and bypassed.
OFF = (2, 4)


def nodes_of_workflow(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes with their inputs by name; what cannot be told apart is left out. Never raises."""
    sources: dict[Any, list[Any]] = {}
    for link in _list(workflow.get("links")):
        if isinstance(link, list) and len(link) >= 3:
            sources[str(link[0])] = [str(link[1]), link[2]]
        elif isinstance(link, dict):
            sources[str(link.get("id"))] = [str(link.get("origin_id")), link.get("origin_slot")]
    nodes: dict[str, Any] = {}
    for node in _list(workflow.get("nodes")):
        if not isinstance(node, dict) or node.get("mode") in OFF:
            continue
        kind = str(node.get("type"))
        values = node.get("widgets_values")
        inputs: dict[str, Any] = {}
        if isinstance(values, dict):
            inputs.update(values)
        else:
            inputs.update(zip(WIDGETS.get(kind, ()), _list(values), strict=False))
        for one in _list(node.get("inputs")):
            if isinstance(one, dict) and str(one.get("link")) in sources:
                inputs[str(one.get("name"))] = sources[str(one.get("link"))]
        nodes[str(node.get("id"))] = {"class_type": kind, "inputs": inputs}
    return nodes


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
