"""Settings: what they are, where they stand, which one wins."""
