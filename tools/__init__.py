"""Programs for those who build the studio; the studio itself imports nothing from here."""
