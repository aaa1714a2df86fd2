"""What gates hand over: their logs, and what the platform learns from them (SPEC 7.4)."""
