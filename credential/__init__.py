"""The bytes that the rooms share: credentials, codes, bindings, key lists, bundles (SPEC 1-5).

A leaf: it imports the standard library and PyNaCl, nothing else, and none of the other rooms.
"""
