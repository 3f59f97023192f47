# SPDX-License-Identifier: Apache-2.0
"""Makers of the golden values under tests/golden/data. Run them through tools/make_golden.py."""
