"""Watch: rows in, verdicts and decisions out."""
