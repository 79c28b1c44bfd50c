"""The outside world as the core's ports want it."""
