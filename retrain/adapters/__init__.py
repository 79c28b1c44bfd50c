"""Where versions are kept."""
