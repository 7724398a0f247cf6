"""The built-in model: draws its own training pictures, trains on them, writes an SD 1.x checkpoint and checks it.

scenes    what can be in a picture, and how it is drawn
captions  a scene in words
vae       pictures <-> latents: building and training the autoencoder
networks  the text encoder and the UNet, and the tokenizer
train     one command for all stages, resumable
sample    a small sampler for looking at the training's progress
export    the LDM single-file layout
check     what a picture shows, decided by its pixels
"""
