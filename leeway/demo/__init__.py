"""Demo: a year of real flights, replayed against a running server."""
