"""The programs: `qmia NAME`, and scripts/NAME.py of a checkout."""
