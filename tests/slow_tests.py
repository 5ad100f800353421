"""Which tests take too long for every day."""

import os
import unittest

SLOW = bool(os.environ.get("QMIA_SLOW"))
slow = unittest.skipUnless(SLOW, "slow: bash scripts/test.sh --slow")
