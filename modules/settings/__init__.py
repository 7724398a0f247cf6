"""Every setting once (`sections/`), and the values they have (`store.py`). Standard library only."""
