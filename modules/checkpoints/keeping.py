"""How a checkpoint is kept here: in which number formats, and how much of it outside of the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from modules.checkpoints.budget import Decision, Need, Work, decided
from modules.checkpoints.device_memory import KEPT_FREE
from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.files import Header
from modules.checkpoints.load import Placement, draw_blueprint
from modules.checkpoints.offload import Offload
from modules.checkpoints.residents import HOME, Residents

SHARE = 0.9  # of the free memory: the rest is lost to fragments
# The setting `fp8_storage`: the families whose weights are kept in eight bits.
EIGHT_BIT = {"Enable": "", "Enable for SDXL": "sdxl"}


@dataclass(frozen=True)
class Wish:
    """What a loan asks for besides the checkpoint and its VAE.

    offload: the least and the most. fp8: the setting. on_note: hears what is known before anything is loaded.
    """

    modules: tuple[str, ...]
    offload: tuple[Offload, Offload]
    fp8: str
    work: Work | None
    on_note: Callable[[str], None]


@dataclass(frozen=True)
class Keeping:
    """What the device, the command line and everything else in memory allow."""

    placement: Placement
    wishes: DeviceWishes
    residents: Residents

    @property
    def apart(self) -> bool:
        """Whether the device has memory of its own, so that networks can wait outside of it."""
        return self.residents.apart(self.placement.device)

    @property
    def free(self) -> int:
        """Bytes that the device has free."""
        return self.residents.measure(self.placement.device)[0]

    def formats(self, header: Header, fp8: str) -> Placement:
        """Device and number formats for the checkpoint `header`. Raises: UnknownFile."""
        family = EIGHT_BIT.get(fp8)
        # As in A1111, which does without on Apple's devices.
        wanted = family is not None and draw_blueprint(header).family.name.lower().startswith(family)
        return replace(self.placement, eight_bit=wanted and self.placement.device.type != "mps")

    def loaded_to(self, needed: int, family: str, wish: Wish, formats: Placement) -> Placement:
        """`formats`, in memory instead of on the device if the model is to be offloaded or would fill the device."""
        if not self.apart:
            return formats
        least, most = self.allowed(family, wish)
        short = needed + KEPT_FREE > self.free and most != Offload.NONE
        return replace(formats, device=HOME) if least or short else formats

    def allowed(self, family: str, wish: Wish) -> tuple[Offload, Offload]:
        """The least and the most that is offloaded: flags ask for the least, too."""
        least = max(self.wishes.offload_for(family), wish.offload[0])
        return least, max(least, wish.offload[1])

    def decided(self, need: Need, family: str, wish: Wish, *, present: int) -> Decision:
        """How a model is kept that needs so much, of which `present` bytes are on the device already."""
        free = self.free + present
        if not self.apart:
            return decided(need.rested(), free, most=Offload.NONE)
        least, most = self.allowed(family, wish)
        return decided(need, int(free * SHARE), least=least, most=most)
