"""A buyer's keys and tickets: library and command line; shows tickets with no network (SPEC 3, 4)."""
