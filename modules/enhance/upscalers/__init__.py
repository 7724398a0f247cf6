"""Upscalers that are files: found by their folders (files.py), known by their names (known.py), run by network.py."""
