"""python -m verifier: the same as truestub-gate."""

import sys

from verifier.cli import main

sys.exit(main())
