"""The till of an event: many requests, one transaction (design 7)."""
