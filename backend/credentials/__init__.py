"""Who may get a credential, who signs it, and what gates are told (SPEC 4, 5).

The private keys are used in one process, the signer; everything else of the platform asks it through a local socket.
"""
