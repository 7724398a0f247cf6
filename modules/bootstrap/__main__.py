"""The first lines that run. Python 2.7 must be able to parse this file, or its user would read a SyntaxError."""

import os
import sys

OLDEST, NEWEST = (3, 10), (3, 13)
HOW = {
    "linux": "Debian, Ubuntu:  sudo apt install python3 python3-venv\n  Fedora:  sudo dnf install python3.12",
    "darwin": "brew install python@3.12",
    "win32": "winget install Python.Python.3.12",
}

running = sys.version_info[:2]
fault = ""
if running < OLDEST:
    fault = "too old"
elif (
    running > NEWEST and "--skip-python-version-check" not in sys.argv + os.environ.get("COMMANDLINE_ARGS", "").split()
):
    fault = "newer than PyTorch's packages"
if fault:
    sys.stderr.write(
        "Python %d.%d (%s) is %s: 3.10, 3.11, 3.12 or 3.13 is needed.\n" % (running + (sys.executable, fault))
        + "Install one of them:\n  %s\n" % HOW.get(sys.platform, HOW["linux"])
        + "or, if you have one, name it:\n  PYTHON=/path/to/python3.12 ./webui.sh\n"
    )
    sys.exit(1)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[0] = ROOT

from modules.bootstrap.start import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
