"""What is refused where anybody on the network can ask without a password."""

from __future__ import annotations

from modules.studio.flag_table import Flags
from modules.terms.errors import Refused


def check_may_write_models(flags: Flags, *, known: bool) -> None:
    """known: whoever asks has logged in. Raises: Refused for strangers, as for installing extensions."""
    if flags.disable_extension_access and not known:
        raise Refused(
            "Everybody on the network can reach this studio without a password, so it writes no models for them. "
            "Give it a password (--gradio-auth), or allow it with --enable-insecure-extension-access."
        )
