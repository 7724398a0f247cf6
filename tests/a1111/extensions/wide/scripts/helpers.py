"""Loaded as a script, and imported by another one as a module of its own."""

COUNT = []
