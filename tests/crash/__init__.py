"""`kill -9` at random moments of the commands that write or pay, and what must hold afterwards."""
