#!/usr/bin/env bash
# Your own settings for webui.sh; take away the # in front of a line to use it.

# Flags for every start, for example "--listen --gradio-auth me:secret" (./webui.sh --help lists them)
#export COMMANDLINE_ARGS=""

# The Python to build with, and where its private environment goes
#export PYTHON="python3.12"
#export VENV_DIR="venv"

# PyTorch: another index, or a command of your own
#export TORCH_INDEX_URL="https://download.pytorch.org/whl/cu126"
#export TORCH_COMMAND="pip install torch==2.12.1 torchvision==0.27.1"

# Mirrors near you
#export INDEX_URL="https://pypi.org/simple"
#export HF_ENDPOINT="https://huggingface.co"
