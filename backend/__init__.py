"""Sells, mints, indexes, settles and tells. The only room that talks to the chain (SPEC 9, 10)."""
