"""Names of the original code that extensions import, over the layers that draw here: modules/a1111/engine."""
