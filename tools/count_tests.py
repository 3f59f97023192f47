#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases after a run of CTest: passed, failed, skipped, with the reason of every skip.

    tools/count_tests.py CTEST_JUNIT_XML GTEST_RESULTS_FOLDER

An entry of CTest that left a GoogleTest XML counts as the cases inside it; any other counts as one. An entry that failed although its XML shows no
failure (a crash, a leak found at exit, a time-out before the XML was written) counts as one failure more. The last line printed is
`N passed, N failed, N skipped`; the exit status is 1 if anything failed or nothing passed.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path


def cases_inside(path):
    """(outcome, name, reason) of every case in a GoogleTest XML."""
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None:
            yield "failed", name, case.find("failure").get("message", "")
        elif case.get("result") == "skipped" or case.get("status") == "notrun":
            skipped = case.find("skipped")
            yield "skipped", name, skipped.get("message", "") if skipped is not None else "disabled"
        else:
            yield "passed", name, ""


def entries(junit):
    """(name, outcome, reason) of every entry of CTest's JUnit file."""
    outcomes = {"run": "passed", "fail": "failed", "disabled": "skipped", "notrun": "skipped"}
    for case in ElementTree.parse(junit).iter("testcase"):
        skipped = case.find("skipped")
        reason = skipped.get("message", "") if skipped is not None else ""
        outcome = outcomes.get(case.get("status"), "failed")
        if outcome == "skipped" and reason in ("Required Files Missing", "Unable to find executable"):
            outcome = "failed"  # a program that was not built is no skip
        yield case.get("name"), outcome, reason or case.get("status")


def count(junit, results):
    totals, failures, skips = Counter(), [], []
    for entry, outcome, reason in entries(junit):
        xml = results / f"{entry}.xml"
        found = []
        try:
            found = list(cases_inside(xml)) if xml.exists() else []
        except ElementTree.ParseError:
            outcome = "failed"
        inner = Counter(kind for kind, _, _ in found)
        totals.update(inner)
        failures += [f"{entry}: {name}" for kind, name, _ in found if kind == "failed"]
        skips += [(why.split("\n")[-1].strip() or "no reason given", f"{entry}: {name}") for kind, name, why in found if kind == "skipped"]
        if outcome == "failed" and not inner["failed"]:
            totals["failed"] += 1
            failures.append(f"{entry}: the program failed outside its cases ({reason})")
        elif not found and outcome != "failed":
            totals[outcome] += 1
            if outcome == "skipped":
                skips.append((reason, entry))
    return totals, failures, skips


def main():
    totals, failures, skips = count(Path(sys.argv[1]), Path(sys.argv[2]))
    for reason in sorted({why for why, _ in skips}):
        names = [name for why, name in skips if why == reason]
        print(f"skipped {len(names)}: {reason}")
        print(*(f"    {name}" for name in names[:20]), sep="\n")
        if len(names) > 20:
            print(f"    and {len(names) - 20} more")
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
