"""Whether folders of this machine may be named on the page."""

from __future__ import annotations

from modules.gui.needs import Studio
from modules.terms.errors import Refused


def check_folders_may_be_named(studio: Studio) -> None:
    """Raises: Refused where whoever reaches the page could have any folder of this machine read."""
    flags = studio.flags
    if flags.hide_ui_dir_config or (flags.is_public and not flags.page_logins):
        raise Refused(
            "Folders of this machine cannot be named here: the studio is open to a network without a login. "
            "Set --gradio-auth, or upload the pictures."
        )
