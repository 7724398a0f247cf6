"""Who may have files written on this machine."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from modules.studio.flag_table import Flags
from modules.studio.strangers import check_may_write_models


def need_permission(connection: HTTPConnection, flags: Flags) -> None:
    """Raises: Refused where anybody on the network can ask without a password, as for installing extensions."""
    check_may_write_models(flags, known=bool(connection.scope.get("atelier_user")))
