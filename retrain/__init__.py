"""Replace: a request in, a promoted or a refused challenger out."""
