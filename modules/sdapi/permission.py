"""Who may have files written on this machine."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from modules.studio.flag_table import Flags
from modules.terms.errors import Refused


def need_permission(connection: HTTPConnection, flags: Flags) -> None:
    """Raises: Refused where anybody on the network can ask without a password, as for installing extensions."""
    if flags.disable_extension_access and not connection.scope.get("atelier_user"):
        raise Refused(
            "Everybody on the network can reach this studio without a password, so it writes no models for them. "
            "Give it a password (--gradio-auth), or allow it with --enable-insecure-extension-access."
        )
