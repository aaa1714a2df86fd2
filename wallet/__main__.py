"""`python -m wallet` is `truestub-wallet`."""

import sys

from wallet.cli import main

sys.exit(main())
