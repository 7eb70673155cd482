"""How events and results become text on a terminal, in a pipe, as JSON."""
