"""ComfyUI: the graph that drew the picture, in `prompt` (nodes by id) or only in `workflow` (as on its page).

A graph can do anything. Read is what most do: a sampler, what is wired to it, and a second sampler as the hires pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from modules.generation.foreign.told import Told, json_object, lora_tag, number, sampler_entries, size_entry, stem
from modules.generation.foreign.workflow import nodes_of_workflow

Node = Mapping[str, Any]
# No graph that a person made comes near these; one that was made to stall us does.
LONGEST_CHAIN = 200
MOST_SAMPLERS = 20

_TEXTS = (
    "text",
    "text_g",
    "clip_l",
    "t5xxl",
    "prompt",
    "string",
    "value",
    "text_l",
    "text_a",
    "populated_text",
    "wildcard_text",
)
_CONDITIONINGS = (
    "conditioning",
    "conditioning_1",
    "conditioning_to",
    "positive",
    "conditioning_2",
    "conditioning_from",
)


def read(items: Mapping[str, str], size: tuple[int, int]) -> Told | None:
    """What the picture tells, None if there is no graph with a sampler in it."""
    graph = json_object(items.get("prompt"))
    if graph is None or not any(isinstance(node, dict) and "class_type" in node for node in graph.values()):
        workflow = json_object(items.get("workflow"))
        graph = nodes_of_workflow(workflow) if workflow else {}
    return _Graph(graph).told(size)


class _Graph:
    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Node] = {
            str(key): node
            for key, node in nodes.items()
            if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
        }

    def told(self, size: tuple[int, int]) -> Told | None:
        samplers = [node for node in self.nodes.values() if self._is_sampler(node)][:MOST_SAMPLERS]
        if not samplers:
            return None
        # The first pass is the one whose latent comes from no other sampler.
        first = next((one for one in samplers if not self._earlier(one)), samplers[0])
        second = next((one for one in samplers if any(first is earlier for earlier in self._earlier(one))), None)
        values = self._sampler_values(first)
        positive = self._text(self._wired(first, "positive")) or self._text(self._guided(first, "positive"))
        negative = self._text(self._wired(first, "negative")) or self._text(self._guided(first, "negative"))
        model = self._model(first)
        tags = " ".join(dict.fromkeys(self._loras(first)))
        denoise = number(values.get("denoise"))
        entries = {
            "Steps": number(values.get("steps")),
            **sampler_entries(values.get("sampler_name"), values.get("scheduler")),
            "CFG scale": number(values.get("cfg")),
            "Seed": number(values.get("seed", values.get("noise_seed"))),
            **self._size(first, size),
            "Model": stem(model),
            "VAE": self._vae(),
            "Denoising strength": denoise if denoise is not None and 0 < denoise < 1 else None,
            "Clip skip": self._clip_skip(),
            **(self._hires(second, size) if second else {}),
        }
        return Told("ComfyUI", " ".join(filter(None, [positive, tags])), negative, entries)

    def _is_sampler(self, node: Node) -> bool:
        inputs = node["inputs"]
        if "sigmas" in inputs and ("guider" in inputs or "cfg" in inputs):
            return True
        return "steps" in inputs and "sampler_name" in inputs and ("latent_image" in inputs or "positive" in inputs)

    def _wired(self, node: Node | None, name: str) -> Node | None:
        """The node that the input `name` comes from."""
        link = node["inputs"].get(name) if node else None
        return self.nodes.get(str(link[0])) if isinstance(link, list) and link else None

    def _value(self, node: Node | None, name: str, depth: int = 0) -> Any:
        """The value of an input, followed through nodes that only hand one on."""
        found = node["inputs"].get(name) if node else None
        if not isinstance(found, list):
            return found
        source = self._wired(node, name)
        if source is None or depth > LONGEST_CHAIN:
            return None
        for key in (name, "value", "seed", "noise_seed", "int", "float", "number", "string", "text"):
            if key in source["inputs"]:
                return self._value(source, key, depth + 1)
        return None

    def _sampler_values(self, node: Node) -> dict[str, Any]:
        """Steps, seed and so on, which newer graphs spread over several nodes."""
        parts = [self._wired(node, name) for name in ("sigmas", "sampler", "guider", "noise")]
        names = ("steps", "cfg", "sampler_name", "scheduler", "seed", "noise_seed", "denoise")
        values: dict[str, Any] = {}
        for part in (node, *parts):
            for name in names:
                if part is not None and values.get(name) is None:
                    values[name] = self._value(part, name)
        return {name: value for name, value in values.items() if value is not None}

    def _guided(self, node: Node, name: str) -> Node | None:
        guider = self._wired(node, "guider")
        if guider is None:
            return None
        return self._wired(guider, name) or (self._wired(guider, "conditioning") if name == "positive" else None)

    def _upstream(self, start: Node | None) -> Iterator[Node]:
        """Every node that `start` depends on, nearest first, itself included."""
        seen: set[int] = set()
        waiting = deque([start] if start else [])
        while waiting:
            node = waiting.popleft()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            waiting.extend(source for name in node["inputs"] if (source := self._wired(node, name)))

    def _text(self, node: Node | None, seen: set[int] | None = None) -> str:
        """The prompt that a conditioning was made of; parts that are combined follow each other, each once."""
        seen = set() if seen is None else seen
        if node is None or id(node) in seen or len(seen) > LONGEST_CHAIN:
            return ""
        seen.add(id(node))
        inputs = node["inputs"]
        parts = []
        for name in _TEXTS:
            if isinstance(inputs.get(name), str):
                parts.append(inputs[name])
            elif isinstance(inputs.get(name), list):
                parts.append(self._text(self._wired(node, name), seen))
        if not any(parts):
            parts = [self._text(self._wired(node, name), seen) for name in _CONDITIONINGS]
        return ", ".join(dict.fromkeys(part.strip() for part in parts if part.strip()))

    def _earlier(self, sampler: Node) -> list[Node]:
        return [node for node in self._upstream(self._wired(sampler, "latent_image")) if self._is_sampler(node)]

    def _model(self, sampler: Node) -> Any:
        loader = self._wired(sampler, "model") or self._wired(self._wired(sampler, "guider"), "model")
        for node in self._upstream(loader or sampler):
            for name in ("ckpt_name", "unet_name", "model_name", "gguf_name"):
                if isinstance(node["inputs"].get(name), str):
                    return node["inputs"][name]
        return None

    def _loras(self, sampler: Node) -> Iterator[str]:
        for node in reversed(list(self._upstream(sampler))):
            inputs = node["inputs"]
            if isinstance(inputs.get("lora_name"), str):
                yield lora_tag(inputs["lora_name"], inputs.get("strength_model", inputs.get("strength", 1)))
            for one in inputs.values():
                # Loaders of many, one entry each.
                if isinstance(one, dict) and one.get("on", True) and isinstance(one.get("lora"), str):
                    yield lora_tag(one["lora"], one.get("strength", 1))

    def _size(self, sampler: Node, size: tuple[int, int]) -> dict[str, str]:
        for node in self._upstream(self._wired(sampler, "latent_image")):
            width, height = self._value(node, "width"), self._value(node, "height")
            if number(width) and number(height):
                return size_entry(width, height)
        return size_entry(*size)

    def _vae(self) -> str | None:
        names = (node["inputs"].get("vae_name") for node in self.nodes.values())
        return next((name for name in names if isinstance(name, str)), None)

    def _clip_skip(self) -> int | None:
        layers = (number(node["inputs"].get("stop_at_clip_layer")) for node in self.nodes.values())
        return next((int(-layer) for layer in layers if layer is not None and layer < -1), None)

    def _hires(self, second: Node, size: tuple[int, int]) -> dict[str, Any]:
        """The second pass, with what enlarged its input."""
        values = self._sampler_values(second)
        found: dict[str, Any] = {"Denoising strength": number(values.get("denoise")) or 1}
        upscaler = "Latent"
        for node in self._upstream(self._wired(second, "latent_image")):
            inputs = node["inputs"]
            if isinstance(inputs.get("upscale_method"), str) or isinstance(inputs.get("model_name"), str):
                model = inputs.get("model_name")
                upscaler = str(stem(model)) if isinstance(model, str) else upscaler
                scale = number(inputs.get("scale_by"))
                if scale:
                    found["Hires upscale"] = scale
                elif number(inputs.get("width")) and number(inputs.get("height")):
                    found["Hires resize"] = f"{inputs['width']}x{inputs['height']}"
        if "Hires upscale" not in found:
            found.setdefault("Hires resize", f"{size[0]}x{size[1]}")
        hires = sampler_entries(values.get("sampler_name"), values.get("scheduler"))
        return {
            **found,
            "Hires steps": number(values.get("steps")),
            "Hires upscaler": upscaler,
            "Hires sampler": hires.get("Sampler"),
            "Hires schedule type": hires.get("Schedule type"),
        }
