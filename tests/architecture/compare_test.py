#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""perf/compare.py must call what is worse worse, and refuse what cannot be compared."""

import contextlib
import copy
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "perf"))
import compare  # noqa: E402

BASE = {
    "machine": {"processor": "P", "instruction set": "avx2", "load average": 0.1},
    "build": {"type": "Release", "commit": "a"},
    "settings": {"variant": "v", "scans": 1, "dtype": "f32", "threads": 2, "repeats": 5},
    "seconds": {"forward": 1.0, "backward": 2.0, "step": 3.0, "steps": [3.0]},
    "memory": {"peak": 1000, "by_kind": {"parameters": 1000}, "peak_rss": 2000},
    "share_of_ceiling": 0.5,
}
BENCHMARK = {
    "context": {"host_name": "h", "num_cpus": 2, "mhz_per_cpu": 2000, "library_build_type": "release"},
    "benchmarks": [
        {"name": "a", "run_name": "a", "run_type": "iteration", "real_time": 900.0, "time_unit": "ns"},
        {"name": "a_median", "run_name": "a", "run_type": "aggregate", "aggregate_name": "median", "real_time": 1.0, "time_unit": "us"},
        {"name": "a_stddev", "run_name": "a", "run_type": "aggregate", "aggregate_name": "stddev", "real_time": 9.0, "time_unit": "us"},
        {"name": "b", "run_name": "b", "run_type": "iteration", "real_time": 5.0, "time_unit": "ms"},
    ],
}


def changed(report: dict, path: str, value) -> dict:
    result = copy.deepcopy(report)
    *folders, last = path.split(".")
    inner = result
    for folder in folders:
        inner = inner[folder]
    inner[last] = value
    return result


class Compare(unittest.TestCase):
    def outcome(self, new, old, *options: str) -> tuple[int, str]:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("new.json", "old.json")]
            for path, report in zip(paths, (new, old)):
                path.write_text(report if isinstance(report, str) else json.dumps(report))
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = compare.main([*map(str, paths), *options])
            return code, said.getvalue()

    def expect(self, code: int, part: str, new, old, *options: str):
        got, said = self.outcome(new, old, *options)
        self.assertEqual(got, code, said)
        self.assertIn(part, said)

    def test_the_same_is_not_worse(self):
        self.expect(0, "seconds.step", BASE, BASE)

    def test_times_bytes_and_shares_have_tolerances(self):
        self.expect(0, "ok", changed(BASE, "seconds.forward", 1.09), BASE)
        self.expect(1, "WORSE seconds.forward", changed(BASE, "seconds.forward", 1.11), BASE)
        self.expect(0, "ok", changed(BASE, "seconds.forward", 1.11), BASE, "--tolerance", "0.2")
        self.expect(0, "ok", changed(BASE, "seconds.forward", 0.2), BASE)
        self.expect(0, "ok", changed(BASE, "memory.peak", 1019), BASE)
        self.expect(1, "WORSE memory.peak", changed(BASE, "memory.peak", 1021), BASE)
        self.expect(0, "ok", changed(BASE, "share_of_ceiling", 0.46), BASE)
        self.expect(1, "WORSE share_of_ceiling", changed(BASE, "share_of_ceiling", 0.44), BASE)
        self.expect(0, "ok", changed(BASE, "share_of_ceiling", 0.9), BASE)

    def test_a_baseline_states_its_own(self):
        slower = changed(BASE, "seconds.step", 3.5)
        self.expect(0, "allowed 20.0 %", slower, {**BASE, "tolerance": 0.2})
        self.expect(1, "WORSE", slower, {**BASE, "tolerance": 0.2}, "--tolerance", "0.1")

    def test_what_is_gone_is_worse(self):
        without = copy.deepcopy(BASE)
        del without["seconds"]["backward"]
        self.expect(1, "GONE  seconds.backward", without, BASE)

    def test_other_settings_cannot_be_compared(self):
        self.expect(2, "scans 2 and 1", changed(BASE, "settings.scans", 2), BASE)
        self.expect(0, "ok", changed(BASE, "settings.repeats", 9), BASE)
        self.expect(2, "Google Benchmark", BENCHMARK, BASE)

    def test_another_machine(self):
        other = changed(changed(BASE, "machine.processor", "Q"), "seconds.step", 9.0)
        self.expect(2, "machine.processor Q and P", other, BASE)
        self.expect(2, "settings.threads 4 and 2", changed(BASE, "settings.threads", 4), BASE)
        code, said = self.outcome(other, BASE, "--other-machine")
        self.assertEqual(code, 0, said)
        self.assertNotIn("seconds", said)
        self.expect(1, "WORSE memory.peak", changed(other, "memory.peak", 1100), BASE, "--other-machine")

    def test_google_benchmark_medians(self):
        self.expect(0, "ok", BENCHMARK, BENCHMARK)
        self.assertEqual([(v.name, v.number) for v in compare.values(BENCHMARK)], [("a", 1e-6), ("b", 5e-3)])
        slower = copy.deepcopy(BENCHMARK)
        slower["benchmarks"][1]["real_time"] = 1.2
        self.expect(1, "WORSE a", slower, BENCHMARK)

    def test_side_by_side(self):
        code, said = self.outcome(BASE, changed(BASE, "memory", {}), "--table")
        self.assertEqual(code, 0, said)
        self.assertEqual(len(said.splitlines()), 3)
        self.assertIn("50.0%", said)
        code, said = self.outcome(BASE, changed(BASE, "seconds.step", 4.5), "--table")
        self.assertEqual([line.split()[-1] for line in said.splitlines()], ["ratio", "1.00", "1.50"])

    def test_a_report_from_before_there_were_several_studies(self):
        one, three = ({**BASE, "settings": {**BASE["settings"], "studies": n}} for n in (1, 3))
        self.expect(0, "", one, BASE)
        self.expect(2, "studies 3 and 1", three, BASE)

    def test_what_is_no_report(self):
        self.expect(2, "new.json", "{", BASE)
        self.expect(2, "a list", "[]", BASE)
        self.expect(2, "no measurement in common", {"settings": {}}, {"settings": {}})


if __name__ == "__main__":
    unittest.main()
