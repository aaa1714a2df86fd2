"""The signer and what gates are told: bindings, credentials, key lists, bundles (SPEC 2-5)."""
