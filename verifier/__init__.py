"""A gate: decides from a code, a bundle and its own log, with no network (SPEC 6, 7)."""
