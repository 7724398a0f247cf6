"""Pictures as files and as pixels: reading and writing, names, resizing, masks, grids, tiles. Pillow and numpy."""
