"""Names of SDXL's original code that extensions import, over the layers that draw here."""
