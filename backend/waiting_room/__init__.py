"""The waiting room of an on-sale: signed places, a draw for the early, order for the late, entry at a set rate.

A place is a signed token in the visitor's browser; the server remembers two counters per room and nothing per person.
So a hundred thousand people cost no memory, any web process can answer any poll, and a restart forgets nobody.
"""
