"""Weights in fewer bits than they are computed in: how files write them (fp8, GGUF, nf4), how they stay so in memory,
and the layers that unpack them when they run."""
