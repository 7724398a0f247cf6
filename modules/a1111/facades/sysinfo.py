"""What the studio runs on."""

from __future__ import annotations

import json
import platform
import sys

from modules.a1111.bound import bound
from modules.a1111.missing import refusing

checksum_token = ""
environment_whitelist: set = set()


def get_dict():
    """Platform, versions, flags, settings and extensions."""
    studio = bound().studio
    return {
        "Platform": platform.platform(),
        "Python": platform.python_version(),
        "Version": studio.infotext_version,
        "Script path": str(bound().root),
        "Data path": str(studio.flags.data_dir),
        "Extensions": [one.name for one in studio.extensions.active()],
        "Config": studio.settings.as_json(),
        "Packages": sorted(name for name in sys.modules if "." not in name and not name.startswith("_")),
    }


def get():
    return json.dumps(get_dict(), indent=4, default=str)


def check(x):
    return False


def get_config():
    return bound().studio.settings.as_json()


__getattr__ = refusing("modules.sysinfo")
