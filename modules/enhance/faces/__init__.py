"""Faces: found (detect.py), brought upright to a square (align.py), repaired by a network and put back (restore.py)."""
