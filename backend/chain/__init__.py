"""Minting and following the chain (design 8). Only `rpc.py` imports web3."""
