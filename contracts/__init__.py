"""The Solidity contracts, their build, and the compiled artifacts that other rooms load (SPEC 8)."""

from contracts.artifact import Artifact, UnknownArtifactError, load_artifact

__all__ = ["Artifact", "UnknownArtifactError", "load_artifact"]
