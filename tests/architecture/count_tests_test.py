#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/count_tests.py must count every case once and let no failure pass: a crash, a missing program, a broken XML."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from count_tests import count  # noqa: E402

JUNIT = """<testsuite>
<testcase name="two_pass" status="run"/>
<testcase name="one_each" status="fail"><failure message=""/></testcase>
<testcase name="crashed" status="fail"><failure message=""/></testcase>
<testcase name="leaked" status="fail"><failure message=""/></testcase>
<testcase name="cut_short" status="run"/>
<testcase name="script" status="run"/>
<testcase name="no_mpi" status="disabled"><skipped message="Disabled"/></testcase>
<testcase name="not_built" status="notrun"><skipped message="Unable to find executable"/></testcase>
</testsuite>"""
PASSED = '<testcase name="p" classname="C" status="run" result="completed"/>'
FAILED = '<testcase name="f" classname="C" status="run" result="completed"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="s" classname="C" status="run" result="skipped"><skipped message="a.cpp:1&#x0A;no data"/></testcase>'
RESULTS = {"two_pass": PASSED * 2, "one_each": PASSED + FAILED + SKIPPED, "leaked": PASSED}

with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    (root / "ctest.xml").write_text(JUNIT)
    for name, cases in RESULTS.items():
        (root / f"{name}.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    (root / "cut_short.xml").write_text("<testsuites><testsu")
    totals, failures, skips = count(root / "ctest.xml", root)

expected = {"passed": 5, "failed": 5, "skipped": 2}  # passed: 2 + 1 + leaked 1 + script; failed: one_each, crashed, leaked, cut_short, not_built
assert dict(totals) == expected, f"counted {dict(totals)}, expected {expected}; failures {failures}"
assert ("no data", "one_each: C.s") in skips and ("Disabled", "no_mpi") in skips, skips
print("count_tests: ok")
