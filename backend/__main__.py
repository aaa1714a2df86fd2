"""`python -m backend` is `truestub`."""

from backend.cli import main

main()
