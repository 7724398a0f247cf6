"""The old name of `networks`."""

from __future__ import annotations

from networks import (  # noqa: F401
    available_network_aliases as available_lora_aliases,
)
from networks import (
    available_networks as available_loras,  # noqa: F401
)
from networks import (
    list_available_networks as list_available_loras,  # noqa: F401
)
from networks import (
    loaded_networks as loaded_loras,  # noqa: F401
)

from modules.a1111.missing import refusing

__getattr__ = refusing("lora")
