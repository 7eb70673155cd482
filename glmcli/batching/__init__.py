"""Many requests from one file: read, sent within the limits of a key, kept, resumed, joined."""
