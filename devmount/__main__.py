"""``python -m devmount``."""

import sys

from devmount.cli.main import main

sys.exit(main())
