"""A file → rows as text + the raw bytes of what cannot be read. Nothing is typed here."""
