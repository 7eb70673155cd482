"""Fuzzing: bytes that nobody would send, and what has to hold for all of them.

One function per surface (`targets.TARGETS`) feeds the real code and asserts
what must hold, not merely that nothing is raised. `python -m tests.fuzz` runs
them for minutes with atheris; `test_fuzz.py` runs each for a moment in the suite.
"""
