"""What `glm onboard` does: asks or reads flags, finds and verifies a key, keeps it, and tells.

Nothing is kept before it is verified, unless the user says so.
"""
