"""The Solidity contracts, their build, and the compiled artifacts that other rooms load (SPEC 8)."""
