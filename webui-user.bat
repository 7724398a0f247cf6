@echo off
rem Your own settings; start the studio with this file. Take away the "rem" in front of a line to use it.

rem Flags for every start, for example --listen --gradio-auth me:secret (webui.bat --help lists them)
set COMMANDLINE_ARGS=

rem The Python to build with, and where its private environment goes
rem set PYTHON=py -3.12
rem set VENV_DIR=venv

rem PyTorch: another index, or a command of your own
rem set TORCH_INDEX_URL=https://download.pytorch.org/whl/cu126
rem set TORCH_COMMAND=pip install torch==2.12.1 torchvision==0.27.1

rem Mirrors near you
rem set INDEX_URL=https://pypi.org/simple
rem set HF_ENDPOINT=https://huggingface.co

call "%~dp0webui.bat" %*
