"""Show: the built-in web pages."""
