"""New model files out of others: checkpoints merged tensor by tensor, and LoRAs extracted from a difference.

merge    the recipe's formula, from mapped files straight into a new one
blocks   a multiplier per block of the denoising network
bake     LoRA into the tensors of a file
extract  the difference of two checkpoints as a LoRA
names    what the new file is called, and what it says of how it was made
writer   a model file that appears only when it is whole
"""
