"""Networks that change a model: LoRA and its relatives, hypernetworks. A file says by module path what it adds.

kind         what one kind of network is; kinds/ has a file for each
keys, names  how files spell modules, and which module of a loaded model is meant
files        tensors and metadata of a network file
network      a file as deltas by module
library      which files there are, and what they are called
patch        deltas into a model's weights for the time of a `with`, and out again bit by bit
"""
