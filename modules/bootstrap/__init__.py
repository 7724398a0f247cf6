"""From a fresh clone to a running studio: `python modules/bootstrap [flags]`, which `webui.sh` and `webui.bat` call.

__main__      refuses Pythons that cannot work, in words that any Python can read
start         stamp fits -> hand over at once; else install, check, write the stamp, hand over
stamp         what was installed, and whether it still fits
machine       which cards and drivers this machine has
builds        machine -> the build of PyTorch that runs on it
environment   the private Python in venv/: made, mended, measured
packages      pip or uv: visible, explained when it fails
browser       Chromium for the tests of the page
failure       the one error: which step, why, and what to type next

Standard library only, Python 3.10 or newer (but for __main__), and nothing is ever cloned.
"""
