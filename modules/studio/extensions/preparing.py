"""What happens to extensions before any is loaded: updates if a flag asks for them, and install.py where it is due."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from modules.studio.studio import Studio

log = logging.getLogger("atelier.extensions")


def prepare_extensions(studio: Studio) -> None:
    """Updates every extension if --update-all-extensions asks for it, then runs each install.py that has not run yet.

    What fails is told in the Extensions tab and passed over. Nothing happens while strangers can reach the studio.
    """
    flags, extensions, manager = studio.flags, studio.extensions, studio.extension_manager
    if flags.update_all_extensions:
        if flags.disable_extension_access:
            log.warning(
                "--update-all-extensions does nothing while other machines reach the studio, unless you start it with "
                "--enable-insecure-extension-access."
            )
        else:
            for one in extensions.active():
                _update(studio, one.name)
    if flags.skip_install or flags.skip_prepare_environment:
        return
    for one in extensions.active():
        if not manager.install_is_due(one.name):
            continue
        if flags.disable_extension_access:
            extensions.failed(
                one.canonical_name,
                "install.py",
                WebuiError(
                    "It has not run, since other machines reach the studio. Start once without --listen, or with "
                    "--enable-insecure-extension-access."
                ),
            )
            continue
        log.info("Running install.py of %s", one.name)
        outcome = manager.run_due_install(one.name)
        if not outcome.done:
            log.warning("install.py of %s failed: %s", one.name, outcome.remedy or (outcome.lines or ("",))[-1])


def _update(studio: Studio, name: str) -> None:
    manager = studio.extension_manager
    try:
        found = manager.check(name)
        if found is None:
            return
        done = manager.install(found.token)
    except WebuiError as error:
        log.warning("%s was not updated: %s", name, error)
        return
    log.info("%s is now at %s%s", name, found.record.commit[:8], "" if done.outcome.done else "; install.py failed")
