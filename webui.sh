#!/usr/bin/env bash
# Linux and macOS. ./webui.sh starts the studio, ./webui.sh test runs its tests. Settings of yours go into webui-user.sh.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
# shellcheck source=webui-user.sh
if [ -f webui-user.sh ]; then . ./webui-user.sh; fi
export VENV_DIR="${VENV_DIR:-${venv_dir:-venv}}" SD_WEBUI_RESTART=tmp/restart
python="${PYTHON:-${python_cmd:-}}"

fits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

if [ -n "$python" ]; then
  "$python" -c 'import sys' >/dev/null 2>&1 || { echo "PYTHON=$python does not run as a Python. Name one: PYTHON=/path/to/python3 ./webui.sh" >&2; exit 1; }
elif [ -f "$VENV_DIR/atelier.json" ] && [ -x "$VENV_DIR/bin/python" ]; then
  python="$VENV_DIR/bin/python"
else
  for python in python3 python3.13 python3.12 python3.11 python3.10 python ""; do
    [ -n "$python" ] && fits "$python" && break
  done
  [ -n "$python" ] || python="$(uv python find '>=3.10,<3.14' 2>/dev/null || command -v python3 || command -v python)"
  [ -n "$python" ] || { echo "There is no Python. Install one (Debian, Ubuntu: sudo apt install python3 python3-venv) and start again." >&2; exit 1; }
fi

rm -f tmp/restart
while :; do
  "$python" modules/bootstrap "$@"
  status=$?
  [ -f tmp/restart ] || exit $status
  rm -f tmp/restart
  export SD_WEBUI_RESTARTING=1
done
