"""Text -> tensors.

tokenizer.py    text -> tokens, and how many there are (no torch)     embeddings.py   textual inversions, found by name
clip.py         tokens -> what CLIP's text encoder says               emphasis.py     weights applied to that
cache.py        what it said before                                   encode.py       prompt -> Composed, Scheduled
conditioning.py what the denoiser is given
"""
