#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds one report of `strata bench`, perf/peer/step_torch.py or Google Benchmark against another.

    perf/compare.py NEW BASELINE [--tolerance 0.10] [--memory-tolerance 0.02]
    strata bench train --json - | perf/compare.py - perf/baselines/NAME.json
    perf/compare.py --table strata.json eager.json compiled.json        # side by side, with how many times the first one's step each takes; judges nothing

Seconds may grow by --tolerance, bytes by --memory-tolerance, the share of the ceiling may fall by --tolerance (all relative).
A baseline may state its own as {"tolerance": 0.1, "memory_tolerance": 0.02} at its top level; the command line wins.
Times are judged only where processor, instruction set, threads and build type agree; --other-machine judges what does not
depend on them: bytes and the share of the ceiling. Settings must agree always.

Exit code: 0 nothing is worse, 1 something is, 2 the two cannot be compared.
"""

import argparse
import json
import sys
from dataclasses import dataclass

MACHINE = (("machine", "processor"), ("machine", "instruction set"), ("machine", "CUDA device 0"), ("settings", "threads"), ("build", "type"))
NOT_SETTINGS = {"threads", "repeats", "json", "warm_up"}
DEFAULTS = {"exact": True, "studies": 1}  # of reports from before there was such a setting
SECONDS = ("forward", "backward", "clipping", "optimizer", "step")
BYTES = ("peak", "reserved", "peak_rss")
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class NotComparable(Exception):
    pass


@dataclass
class Value:
    name: str
    kind: str  # "seconds", "bytes" or "share"
    number: float


def at(report: dict, *path):
    for key in path:
        report = report.get(key, {}) if isinstance(report, dict) else {}
    return report if report != {} else None


def google_benchmark(report: dict) -> list[Value]:
    """The median of each benchmark where it was repeated, else its one time."""
    rows = [row for row in report["benchmarks"] if not row.get("error_occurred")]
    medians = [row for row in rows if row.get("aggregate_name") == "median"]
    names = {row["run_name"] for row in medians}
    single = [row for row in rows if row.get("run_type") != "aggregate" and row.get("run_name", row["name"]) not in names]
    return [Value(row.get("run_name", row["name"]), "seconds", row["real_time"] * UNITS[row.get("time_unit", "ns")])
            for row in medians + single]


def values(report: dict) -> list[Value]:
    if "benchmarks" in report:
        return google_benchmark(report)
    found = [Value(f"seconds.{part}", "seconds", at(report, "seconds", part)) for part in SECONDS]
    found += [Value(f"memory.{part}", "bytes", at(report, "memory", part)) for part in BYTES]
    found.append(Value("share_of_ceiling", "share", at(report, "share_of_ceiling")))
    return [value for value in found if value.number is not None]


def machine(report: dict) -> dict:
    if "benchmarks" in report:
        context = report.get("context", {})
        return {key: context.get(key) for key in ("host_name", "num_cpus", "mhz_per_cpu", "library_build_type")}
    return {".".join(path): at(report, *path) for path in MACHINE}


def check_settings(new: dict, old: dict) -> None:
    if ("benchmarks" in new) != ("benchmarks" in old):
        raise NotComparable("one is a report of Google Benchmark, the other is not")
    ours, theirs = (DEFAULTS | report["settings"] if "settings" in report else {} for report in (new, old))
    differing = [key for key in sorted((set(ours) | set(theirs)) - NOT_SETTINGS) if ours.get(key) != theirs.get(key)]
    if differing:
        raise NotComparable("settings differ: " + ", ".join(f"{k} {ours.get(k)} and {theirs.get(k)}" for k in differing))


def check_machine(new: dict, old: dict) -> None:
    ours, theirs = machine(new), machine(old)
    differing = [key for key in ours if ours[key] != theirs.get(key)]
    if differing:
        raise NotComparable("machines differ: " + ", ".join(f"{k} {ours[k]} and {theirs.get(k)}" for k in differing)
                            + "; --other-machine compares bytes and shares alone")


def compare(new: dict, old: dict, tolerance: float, memory_tolerance: float, other_machine: bool) -> tuple[list[str], bool]:
    """Lines for people, and whether something is worse than it may be."""
    check_settings(new, old)
    if not other_machine:
        check_machine(new, old)
    before = {value.name: value for value in values(old)}
    lines, worse, judged = [], False, 0
    for value in values(new):
        known = before.pop(value.name, None)
        if known is None or (other_machine and (value.kind == "seconds" or value.name == "memory.peak_rss")):
            continue
        judged += 1
        allowed = memory_tolerance if value.kind == "bytes" else tolerance
        ratio = value.number / known.number if known.number else float("inf")
        bad = ratio < 1 - allowed if value.kind == "share" else ratio > 1 + allowed
        worse = worse or bad
        lines.append(f"{'WORSE' if bad else 'ok':6}{value.name:34}{known.number:>16.6g}{value.number:>16.6g}"
                     f"{100 * (ratio - 1):>+9.1f} %   allowed {100 * allowed:.1f} %")
    missing = [] if other_machine else sorted(before)
    lines += [f"{'GONE':6}{name}" for name in missing]
    if judged == 0:
        raise NotComparable("the two have no measurement in common")
    return lines, worse or bool(missing)


COLUMNS = (("forward s", 11, ".4f", ("seconds", "forward"), 1), ("backward s", 11, ".4f", ("seconds", "backward"), 1),
           ("step s", 10, ".4f", ("seconds", "step"), 1), ("TFLOP/s", 9, ".3f", ("gflops_per_second", "step"), 1e-3),
           ("ceiling", 9, ".3f", ("ceiling", "gflops_per_second"), 1e-3), ("share", 8, ".1%", ("share_of_ceiling",), 1),
           ("composed", 10, ".1%", ("composition", "share"), 1), ("peak MiB", 10, ".0f", ("memory", "peak"), 2**-20),
           ("process MiB", 12, ".0f", ("memory", "peak_rss"), 2**-20))


def table(reports: dict[str, dict]) -> list[str]:
    """One line a report: what a step takes. `ratio`: how many times as long as the first one's."""
    lines = [f"{'report':28}" + "".join(f"{title:>{width}}" for title, width, *_ in COLUMNS) + f"{'ratio':>8}"]
    first = None
    for name, report in reports.items():
        line = f"{name:28}"
        for _, width, form, path, scale in COLUMNS:
            number = at(report, *path)
            line += f"{number * scale:>{width}{form}}" if number is not None else f"{'-':>{width}}"
        step = at(report, "seconds", "step")
        first = first or step
        lines.append(line + (f"{step / first:>8.2f}" if step and first else f"{'-':>8}"))
    return lines


def load(path: str) -> dict:
    try:
        with (sys.stdin if path == "-" else open(path, encoding="utf-8")) as file:
            report = json.load(file)
    except (OSError, ValueError) as error:
        raise NotComparable(f"{path}: {error}") from error
    if not isinstance(report, dict):
        raise NotComparable(f"{path}: not a report, but a {type(report).__name__}")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", metavar="REPORT", help="the new one and the baseline; - for standard input")
    parser.add_argument("--tolerance", type=float, help="of times and shares; 0.10 unless the baseline says another")
    parser.add_argument("--memory-tolerance", type=float, help="of bytes; 0.02 unless the baseline says another")
    parser.add_argument("--other-machine", action="store_true", help="judge bytes and shares alone")
    parser.add_argument("--table", action="store_true", help="print any number of reports side by side")
    options = parser.parse_args(arguments)
    if len(options.reports) != 2 and not options.table:
        parser.error("give two reports, or --table")
    try:
        if options.table:
            print("\n".join(table({path: load(path) for path in options.reports})))
            return 0
        new, old = (load(path) for path in options.reports)
        tolerance = options.tolerance if options.tolerance is not None else old.get("tolerance", 0.10)
        of_memory = options.memory_tolerance if options.memory_tolerance is not None else old.get("memory_tolerance", 0.02)
        lines, worse = compare(new, old, tolerance, of_memory, options.other_machine)
    except NotComparable as error:
        print(f"[compare] {error}", file=sys.stderr)
        return 2
    print(f"{'':6}{'':34}{'baseline':>16}{'now':>16}{'change':>11}")
    print("\n".join(lines))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
