"""Questions put to a window, each answered by a score."""
