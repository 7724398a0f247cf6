import os

from modules import paths


def preload(parser):
    parser.add_argument("--wide-dir", type=str, default=os.path.join(paths.models_path, "Wide"))
