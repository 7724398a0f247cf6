"""Networks that repair faces: GFPGAN, CodeFormer, RestoreFormer, from files that the user puts in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from modules.enhance.faces.align import Pixels, put_back, to_square, upright
from modules.enhance.faces.detect import Detector, Face, detector_of
from modules.enhance.faces.known import restorer_called
from modules.enhance.networks import Networks, PictureNetwork, out_of_memory_told
from modules.enhance.upscaler import PLAIN, Work
from modules.terms.errors import UnknownFile

# spandrel's architecture -> how its network is called. All take and give (1, 3, 512, 512) in [-1, 1].
CALLS: dict[str, Callable[[Any, Tensor, float], Tensor]] = {
    # Noise of the file instead of fresh one: the same picture gives the same face.
    "GFPGAN": lambda network, face, weight: network(face, return_rgb=False, randomize_noise=False)[0],
    "CodeFormer": lambda network, face, weight: network(face, weight=weight)[0],
    "RestoreFormer": lambda network, face, weight: network(face)[0],
}


@dataclass
class Faces:
    """Finds and repairs faces. `folders`: where weights and detectors are looked for.

    detector: what finds faces; by default the best that the folders offer, made at the first use.
    """

    networks: Networks
    folders: tuple[Path, ...] = ()
    detector: Detector | None = None
    _found: Detector | None = field(default=None, repr=False)

    def find(self, image: Image.Image) -> list[Face]:
        """The faces of `image`, the largest first."""
        return self._detect(np.asarray(image.convert("RGB")))

    def restore(self, name: str, image: Image.Image, weight: float = 0.5, work: Work = PLAIN) -> Image.Image:
        """`image`, RGB, with every face repaired by the restorer called `name`; the same picture if it has none.

        weight: CodeFormer's; 0 changes faces most, 1 least.
        Raises: NotFound if there is no such restorer or its weights are not there, saying where they go; UnknownFile,
        Refused, OutOfMemory; what `work.done` raises, after each face.
        """
        path = restorer_called(name).file_in(self.folders)
        picture = np.array(image.convert("RGB"))
        faces = self._detect(picture)
        if not faces:
            return Image.fromarray(picture)
        with self.networks.borrow(path) as network:
            for number, face in enumerate(faces):
                transform = to_square(face.points)
                repaired = repaired_square(network, upright(picture, transform), weight)
                picture = put_back(picture, repaired, transform)
                work.done(number + 1, len(faces))
        return Image.fromarray(picture)

    def unload(self, name: str) -> None:
        """Drops the network of that restorer from memory."""
        self.networks.unload(restorer_called(name).file_in(self.folders))

    def _detect(self, picture: Pixels) -> list[Face]:
        if self.detector is not None:
            return self.detector(picture)
        if self._found is None:
            self._found = detector_of(self.folders)
        return self._found(picture)


def repaired_square(network: PictureNetwork, square: Pixels, weight: float) -> Pixels:
    """The face in `square` (512, 512, 3) after `network`. Raises: UnknownFile if it repairs no faces; OutOfMemory."""
    call = CALLS.get(network.kind)
    if call is None:
        raise UnknownFile(
            f"{network.name} repairs no faces: it is a {network.kind} network. Choose GFPGAN or CodeFormer."
        )
    pixels = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    placed = pixels.to(network.descriptor.device, network.descriptor.dtype)
    with torch.inference_mode(), out_of_memory_told(network.name):
        drawn = call(network.descriptor.model, placed, weight)[0].float().cpu()
    result: Pixels = ((drawn.permute(1, 2, 0).clamp(-1, 1) + 1) / 2 * 255).round().to(torch.uint8).numpy()
    return result
