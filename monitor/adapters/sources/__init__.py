"""Sources: rows that are somewhere already."""
