"""`model_hijack`: A1111 bends its networks here; the studio has nothing to bend, and answers what is asked of it."""

from __future__ import annotations

from modules.textual_inversion.textual_inversion import EmbeddingDatabase

from modules.a1111.bound import bound
from modules.a1111.missing import refusing

optimizers: list = []
current_optimizer = None


class StableDiffusionModelHijack:
    fixes = None
    circular_enabled = False
    optimization_method = "sdp"

    def __init__(self):
        self.comments = []
        self.extra_generation_params = {}
        self.embedding_db = EmbeddingDatabase()

    @property
    def layers(self):
        """Every layer of the loaded model, in no order that means anything; none before one is loaded."""
        from modules import shared

        bundle = shared.sd_model.bundle
        return [] if bundle is None else [*bundle.unet.modules(), *bundle.vae.modules()]

    @property
    def clip(self):
        from modules import shared

        return shared.sd_model.cond_stage_model if shared.sd_model.is_loaded else None

    def get_prompt_lengths(self, text, cond_stage_model=None):
        """(tokens, limit) of a prompt; (-, -) before a model is loaded."""
        if self.clip is None:
            return "-", "-"
        from modules.conditioning.tokenizer import count_tokens

        settings = bound().settings
        return tuple(count_tokens(text, backtrack=int(settings["comma_padding_backtrack"]), comments=False))

    def tokenize(self, text):
        """The tokens of a text as the model's first encoder reads it, and how many."""
        tokens = self.clip.tokenize([text])[0]
        return tokens, len(tokens), self.clip.get_target_prompt_token_count(len(tokens))

    def hijack(self, m):
        """Networks stay as they are."""

    def undo_hijack(self, m):
        """Networks were left as they are."""

    def redo_hijack(self, m):
        """Networks stay as they are."""

    def apply_optimizations(self, option=None):
        """Attention is PyTorch's own."""

    def convert_sdxl_to_ssd(self, m):
        """Models are recognised by their tensors."""

    def apply_circular(self, enable):
        """Seamless pictures are drawn where the request or the setting asks for them."""
        self.circular_enabled = bool(enable)

    def clear_comments(self):
        self.comments, self.extra_generation_params = [], {}


def apply_optimizations(option=None):
    """Attention is PyTorch's own."""


def undo_optimizations():
    """Attention is PyTorch's own."""


def list_optimizers():
    from modules import script_callbacks

    optimizers[:] = [one for one in script_callbacks.list_optimizers_callback() if one.is_available()]


model_hijack = StableDiffusionModelHijack()

__getattr__ = refusing("modules.sd_hijack")
