"""Pictures of other programs: what they say about themselves, as infotext. One file per program."""
