"""What the numbers of a latent mean: a model family's latent space is data, not code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

RGB_METADATA_KEY = "atelier.latent_rgb"


@dataclass(frozen=True)
class LatentFormat:
    """`channels` numbers per `downscale` x `downscale` pixels. The network sees `(z - shift) * scale` of the VAE's z.

    `rgb_factors`: one (red, green, blue) row per channel and `rgb_bias`: a linear guess at the picture in [-1, 1].
    Source of the factors: spec/sampling.md §16; a checkpoint may bring its own, fitted to its VAE.
    """

    channels: int
    scale: float
    shift: float = 0.0
    downscale: int = 8
    rgb_factors: tuple[tuple[float, float, float], ...] = ()
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_network(self, z: Tensor) -> Tensor:
        return (z - self.shift) * self.scale

    def to_vae(self, latents: Tensor) -> Tensor:
        return latents / self.scale + self.shift

    def means_the_same(self, other: LatentFormat) -> bool:
        """Whether a network that draws in the one format can go on with latents of the other."""
        return (self.channels, self.scale, self.shift, self.downscale) == (
            other.channels,
            other.scale,
            other.shift,
            other.downscale,
        )

    def with_metadata(self, metadata: Mapping[str, str]) -> LatentFormat:
        """This format with the factors that the checkpoint's own metadata give, if it gives any that fit.

        They stand under `atelier.latent_rgb` as JSON: {"factors": one row of three per channel, "bias": three numbers},
        or the same rows and the bias as last row of a plain list.
        """
        try:
            found = json.loads(metadata.get(RGB_METADATA_KEY, "null"))
            rows = [*found["factors"], found.get("bias", [0, 0, 0])] if isinstance(found, dict) else list(found or [])
            if len(rows) == self.channels:
                rows.append([0, 0, 0])
            triples = [(float(red), float(green), float(blue)) for red, green, blue in rows]
        except (ValueError, TypeError, KeyError):
            return self
        if len(triples) != self.channels + 1:
            return self
        return replace(self, rgb_factors=tuple(triples[:-1]), rgb_bias=triples[-1])


SD1_LATENT = LatentFormat(
    channels=4,
    scale=0.18215,
    rgb_factors=(
        (0.298, 0.207, 0.208),
        (0.187, 0.286, 0.173),
        (-0.158, 0.189, 0.264),
        (-0.184, -0.271, -0.473),
    ),
)
SDXL_LATENT = LatentFormat(
    channels=4,
    scale=0.13025,
    rgb_factors=(
        (0.3448, 0.4168, 0.4395),
        (-0.1953, -0.0290, 0.0250),
        (0.1074, 0.0886, -0.0163),
        (-0.3730, -0.2499, -0.2088),
    ),
)
SD3_LATENT = LatentFormat(
    channels=16,
    scale=1.5305,
    shift=0.0609,
    # Source: Stability AI, sd3-ref (MIT), SD3LatentFormat.
    rgb_factors=(
        (-0.0645, 0.0177, 0.1052), (0.0028, 0.0312, 0.0650), (0.1848, 0.0762, 0.0360), (0.0944, 0.0360, 0.0889),
        (0.0897, 0.0506, -0.0364), (-0.0020, 0.1203, 0.0284), (0.0855, 0.0118, 0.0283), (-0.0539, 0.0658, 0.1047),
        (-0.0057, 0.0116, 0.0700), (-0.0412, 0.0281, -0.0039), (0.1106, 0.1171, 0.1220), (-0.0248, 0.0682, -0.0481),
        (0.0815, 0.0846, 0.1207), (-0.0120, -0.0055, -0.0867), (-0.0749, -0.0634, -0.0456), (-0.1418, -0.1457, -0.1259),
    ),
)  # fmt: skip
FLUX_LATENT = LatentFormat(
    channels=16,
    scale=0.3611,
    shift=0.1159,
    # The linear fit that the previews of other programs use for this latent.
    rgb_factors=(
        (-0.0346, 0.0244, 0.0681), (0.0034, 0.0210, 0.0687), (0.0275, -0.0668, -0.0433), (-0.0174, 0.0160, 0.0617),
        (0.0859, 0.0721, 0.0329), (0.0004, 0.0383, 0.0115), (0.0405, 0.0861, 0.0915), (-0.0236, -0.0185, -0.0259),
        (-0.0245, 0.0250, 0.1180), (0.1008, 0.0755, -0.0421), (-0.0515, 0.0201, 0.0011), (0.0428, -0.0012, -0.0036),
        (0.0817, 0.0765, 0.0749), (-0.1264, -0.0522, -0.1103), (-0.0280, -0.0881, -0.0499), (-0.1262, -0.0982, -0.0778),
    ),
    rgb_bias=(-0.0329, -0.0718, -0.0851),
)  # fmt: skip
# Their autoencoders know mean and spread of each channel themselves (wrapped_vae.py).
QWEN_LATENT = LatentFormat(
    channels=16,
    scale=1.0,
    # The linear fit that the previews of other programs use for the autoencoder of Wan 2.1, whose latents these are.
    rgb_factors=(
        (-0.1299, -0.1692, 0.2932), (0.0671, 0.0406, 0.0442), (0.3568, 0.2548, 0.1747), (0.0372, 0.2344, 0.1420),
        (0.0313, 0.0189, -0.0328), (0.0296, -0.0956, -0.0665), (-0.3477, -0.4059, -0.2925), (0.0166, 0.1902, 0.1975),
        (-0.0412, 0.0267, -0.1364), (-0.1293, 0.0740, 0.1636), (0.0680, 0.3019, 0.1128), (0.0032, 0.0581, 0.0639),
        (-0.1251, 0.0927, 0.1699), (0.0060, -0.0633, 0.0005), (0.3477, 0.2275, 0.2950), (0.1984, 0.0913, 0.1861),
    ),
    rgb_bias=(-0.1835, -0.0868, -0.3360),
)  # fmt: skip
# No fit of its colours is known here: the preview is grey, of about the spread of one channel.
FLUX2_LATENT = LatentFormat(channels=128, scale=1.0, downscale=16, rgb_factors=((0.09, 0.09, 0.09),) * 128)
