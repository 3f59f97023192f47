#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Objects compiled for a later instruction set may define no weak symbol: the linker keeps one copy of an inline function for the whole program, and
if it keeps the AVX-512 copy, the program dies on a processor without it. Usage: check_simd_symbols.py OBJECT..."""

import subprocess
import sys

found = 0
for path in sys.argv[1:]:
    listing = subprocess.run(["nm", "--demangle", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        kind, _, name = line[17:].partition(" ")
        if kind in "WVu" and "isa_" not in name:
            print(f"{path}: weak symbol {name}: move it into the namespace STRATA_ISA, or make it static or always inline")
            found += 1
print(f"{len(sys.argv) - 1} objects, {found} weak symbols")
sys.exit(1 if found or len(sys.argv) < 2 else 0)
