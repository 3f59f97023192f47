#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, as a test: who may include whom, which folder may open which library, and the form of every file.

    tools/check_includes.py               check the tree this script stands in
    tools/check_includes.py FILE...       the same, but report on these files only (pre-commit)
    tools/check_includes.py --self-test   plant one violation of each rule in a temporary tree and expect it to be found

The floors come from cmake/floors.txt, which CMake reads too. Prints one finding a line and exits with 1 if there is any, else 0.
"""

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CODE = {".cpp", ".hpp", ".h", ".cu", ".cuh"}
HEADERS = {".hpp", ".h", ".cuh"}
SCRIPTS = {".py", ".sh", ".cmake", ".sbatch"}
ENGINE_FOLDERS = ("include", "src", "parallel", "io")
CHECKED_FOLDERS = ENGINE_FOLDERS + ("tests", "perf", "tools", "cmake", "scripts", "jobs", ".ci")

# Third-party headers: a pattern of the include, and the paths (prefixes) that may open it.
LIBRARIES = [
    ("CUDA", r"(cuda|cublas|cudnn|curand|cusolver|cusparse|cuComplex|nvtx|cub/|thrust/)", ["src/backends/cuda/", "parallel/comm/nccl", "tests/cuda_emulation/", "tests/nccl_emulation/"]),
    ("NCCL", r"nccl", ["parallel/comm/nccl", "tests/nccl_emulation/"]),
    ("oneDNN", r"(dnnl|oneapi/)", ["src/backends/cpu/"]),
    ("OpenMP", r"omp\.h", ["src/backends/cpu/"]),
    ("intrinsics", r"(immintrin|x86intrin|arm_neon|cpuid)\.h", ["src/backends/cpu/"]),
    ("MPI", r"mpi", ["parallel/comm/mpi", "io/hdf5/", "tests/main_mpi.cpp"]),
    ("HDF5", r"(hdf5|H5)", ["io/hdf5/"]),
    ("xxHash", r"xxhash\.h", ["io/"]),
    ("DCMTK", r"dcmtk/", ["io/dicom/", "io/phantom/"]),
    ("OpenJPEG", r"openjpeg", ["io/dicom/"]),
    ("OpenSSL", r"openssl/", ["io/identity/"]),
    ("Eigen", r"Eigen/", ["src/study/", "io/dicom/"]),
    ("CSV", r"csv\.h", ["io/table/"]),
    ("PNG", r"png\.h", ["io/image/"]),
    ("zlib", r"zlib\.h", ["io/"]),
    ("NIfTI", r"(nifti|znz)", ["io/nifti/"]),
    ("CLI11", r"CLI/", ["src/app/", "perf/"]),
    ("ICU", r"unicode/", ["src/text/"]),
    ("JSON", r"nlohmann/", ["src/config/", "src/text/", "src/engine/", "src/app/", "io/", "tests/", "perf/"]),
    ("YAML", r"yaml-cpp/", ["src/config/"]),
    ("GoogleTest", r"g(test|mock)/", ["tests/"]),
    ("Google Benchmark", r"benchmark/", ["perf/"]),
    ("fmt", r"fmt/", [""]),
]
POSIX = re.compile(r"(sys/[a-z_]+|ucontext|unistd|fcntl|signal|pthread|sched|execinfo|dlfcn|dirent|fnmatch|poll|stdlib|string|malloc|cxxabi|spawn|features)\.h$")

# Headers that the build writes, and the one floor that reads each.
GENERATED = {"build_info.hpp": "app"}

# A condition may ask about the compiler, the machine or the amount of checking, never about which parts of Strata are built.
COMPILER_FACTS = re.compile(r"^(defined|NDEBUG|STRATA_DEBUG_CHECKS|__\w+|[0-9]+[uUlL]*)$")

# The engine speaks of backends, transports and file formats in general only.
CONCRETE = re.compile(r"\b(cuda|onednn|dnnl|mpi|nccl|hdf5|dicom|nifti|safetensors)\b", re.IGNORECASE)
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


@dataclass(frozen=True)
class Floor:
    level: str
    folder: str
    uses: tuple


def read_floors(root):
    """cmake/floors.txt as {name: Floor}, and findings about the table itself."""
    floors, findings = {}, []
    for number, line in enumerate((root / "cmake/floors.txt").read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"cmake/floors.txt:{number}"
        match = re.fullmatch(r"(\d+|wing) +(\w+) +([\w/]+) +:([\w ]*)", line)
        if not match:
            findings.append(f"{where}: [floors] cannot read this line")
            continue
        level, name, folder, uses = match[1], match[2], match[3], match[4].split()
        for used in uses:
            if used not in floors:
                findings.append(f"{where}: [floors] {name} uses {used}, which does not stand above it in the table")
            elif level != "wing" and name != "app" and (floors[used].level == "wing" or int(floors[used].level) > int(level)):
                findings.append(f"{where}: [floors] {name} (level {level}) uses {used} (level {floors[used].level})")
        floors[name] = Floor(level, folder + "/", tuple(uses))
    return floors, findings


def floor_of(path, floors):
    """The floor that owns a path, or None (tests, perf, tools)."""
    match = re.match(r"include/strata/(\w+)/", path)
    if match:
        return match[1]
    owners = [name for name, floor in floors.items() if path.startswith(floor.folder)]
    return max(owners, key=lambda name: len(floors[name].folder), default=None)


def resolve(root, path, include):
    """Where an include of our own lies, relative to the root; None if it is no file of ours."""
    for base in (root / Path(path).parent, root / "include", root / "src", root):
        target = base / include
        if target.is_file():
            return target.resolve().relative_to(root.resolve()).as_posix()
    return None


def check_own_include(path, target, floors):
    owner, used = floor_of(path, floors), floor_of(target, floors)
    if owner is None or owner == used:
        return None
    if used is None:
        if owner == "app" and target.startswith("tests/conformance/"):
            return None  # `strata selftest` runs the same cases as the test program
        return f"[includes] floor {owner} may not include {target}, which belongs to no floor"
    if used in floors[owner].uses:
        return None
    return f"[includes] floor {owner} may not include floor {used} ({target}): it may use {' '.join(floors[owner].uses) or 'nothing'}"


def check_library_include(path, include):
    if re.fullmatch(r"[a-z_0-9]+", include):
        return None  # the standard library
    if path.startswith("include/"):
        return f"[includes] a public header may not include <{include}>: only the standard library and strata/"
    for library, pattern, homes in LIBRARIES:
        if re.match(pattern, include):
            if library == "fmt" and Path(path).suffix in HEADERS and path.startswith(ENGINE_FOLDERS):
                return "[includes] fmt belongs in sources, not in headers"
            if any(path.startswith(home) for home in homes):
                return None
            return f"[includes] {library} header <{include}> is allowed only in {', '.join(homes)}"
    if POSIX.match(include) and (Path(path).suffix not in HEADERS or path.startswith("tests/")):
        return None
    return f"[includes] unknown library header <{include}>: name its home in tools/check_includes.py"


def strip_comments(text):
    """Code with comments and string contents blanked, line numbers kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda m: '""' if m[0].startswith('"') else "\n" * m[0].count("\n"), text)


def check_includes(root, path, text, floors):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        target = resolve(root, path, match[2])
        if target is not None:
            finding = check_own_include(path, target, floors)
        elif match[2] in GENERATED and floor_of(path, floors) == GENERATED[match[2]]:
            finding = None
        elif match[2].startswith("strata/") or match[1] == '"':
            finding = f"[includes] no file {match[2]} in this tree"
        else:
            finding = check_library_include(path, match[2])
        if finding:
            yield f"{path}:{number}: {finding}"


def check_conditions(path, code):
    if not path.startswith(ENGINE_FOLDERS) or path.startswith(("src/backends/", "parallel/comm/mpi", "parallel/comm/nccl")):
        return
    for number, line in enumerate(code.splitlines(), 1):
        match = re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)", line)
        for word in re.findall(r"\w+", match[2]) if match else []:
            if not COMPILER_FACTS.match(word):
                yield f"{path}:{number}: [conditions] #{match[1]} on {word}: a feature is present or absent by CMake and a table entry, not by #if"


def check_form(path, text):
    suffix, name = Path(path).suffix, Path(path).name
    if suffix in CODE | SCRIPTS or name == "CMakeLists.txt" or text.startswith("#!"):
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in text.splitlines()[:3]):
            yield f"{path}:1: [form] no line 'SPDX-License-Identifier: Apache-2.0' among the first three"
    if suffix in HEADERS and "#pragma once" not in text:
        yield f"{path}:1: [form] a header without #pragma once"
    for number, line in enumerate(text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"{path}:{number}: [form] unfinished-work mark: finish it or write it down where work is planned"


def check_engine(path, code):
    if path.startswith(("src/engine/", "include/strata/engine/")):
        for number, line in enumerate(code.splitlines(), 1):
            match = CONCRETE.search(line)
            if match:
                yield f"{path}:{number}: [engine] names {match[0]}: concrete backends, transports and formats are chosen in src/app"


def check_tree(root, only=None):
    floors, findings = read_floors(root)
    paths = [p for folder in CHECKED_FOLDERS for p in sorted((root / folder).rglob("*")) if p.is_file()] + [root / "CMakeLists.txt"]
    for file in paths:
        path = file.relative_to(root).as_posix()
        if not file.is_file() or "__pycache__" in path or (only is not None and path not in only):
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # golden data and the like
        findings += check_form(path, text)
        if file.suffix in CODE:
            code = strip_comments(text)
            findings += check_includes(root, path, text, floors)
            findings += check_conditions(path, code)
            findings += check_engine(path, code)
            owner = floor_of(path, floors)
            if path.startswith("include/strata/") and owner not in floors:
                findings.append(f"{path}:1: [floors] folder include/strata/{owner or ''} has no line in cmake/floors.txt")
    return findings


# --- self-test ---------------------------------------------------------------------------------------------------------------------------------

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
CLEAN = {
    "CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\n",
    "include/strata/base/error.hpp": HEAD + "#pragma once\n#include <string>\n",
    "include/strata/tensor/tensor.hpp": HEAD + '#pragma once\n#include "strata/base/error.hpp"\n',
    "include/strata/ops/matmul.hpp": HEAD + '#pragma once\n#include "strata/tensor/tensor.hpp"\n',
    "include/strata/nn/module.hpp": HEAD + '#pragma once\n#include "strata/ops/matmul.hpp"\n',
    "include/strata/comm/communicator.hpp": HEAD + '#pragma once\n#include "strata/tensor/tensor.hpp"\n',
    "src/ops/helper.hpp": HEAD + "#pragma once\n",
    "src/ops/matmul.cpp": HEAD + '#include "strata/ops/matmul.hpp"\n#include "ops/helper.hpp"\n#include <fmt/format.h>\n#ifdef NDEBUG\n#endif\n',
    "src/backends/cpu/kernels.hpp": HEAD + "#pragma once\n",
    "src/backends/cpu/matmul.cpp": HEAD + '#include "kernels.hpp"\n#include "strata/ops/matmul.hpp"\n#include <oneapi/dnnl/dnnl.hpp>\n#if STRATA_SIMD_X86\n#endif\n',
    "src/backends/reference/matmul.cpp": HEAD + '#include "strata/ops/matmul.hpp"\n',
    "parallel/comm/mpi.hpp": HEAD + "#pragma once\n",
    "parallel/comm/mpi.cpp": HEAD + '#include "parallel/comm/mpi.hpp"\n#include <mpi.h>\n',
    "src/engine/step.cpp": HEAD + '#include "strata/nn/module.hpp"\n// MPI is named in a comment only\n',
    "src/app/wiring.cpp": HEAD + '#include "backends/cpu/kernels.hpp"\n#include "parallel/comm/mpi.hpp"\n#include "tests/conformance/case.hpp"\n#include "build_info.hpp"\n',
    "tests/conformance/case.hpp": HEAD + "#pragma once\n",
    "tests/unit/ops/matmul_test.cpp": HEAD + '#include <gtest/gtest.h>\n#include "ops/helper.hpp"\n',
}
# (file, a line to add, what the finding must say)
PLANTED = [
    ("include/strata/base/error.hpp", '#include "strata/tensor/tensor.hpp"', "floor base may not include floor tensor"),
    ("src/ops/matmul.cpp", '#include "strata/nn/module.hpp"', "floor ops may not include floor nn"),
    ("src/ops/matmul.cpp", '#include "../backends/cpu/kernels.hpp"', "floor ops may not include floor backend_cpu"),
    ("include/strata/nn/module.hpp", '#include "strata/comm/communicator.hpp"', "floor nn may not include floor comm"),
    ("src/backends/reference/matmul.cpp", '#include "backends/cpu/kernels.hpp"', "backend_reference may not include floor backend_cpu"),
    ("src/backends/cpu/matmul.cpp", '#include "strata/nn/module.hpp"', "backend_cpu may not include floor nn"),
    ("src/engine/step.cpp", '#include "parallel/comm/mpi.hpp"', "floor engine may not include floor parallel_comm"),
    ("src/engine/step.cpp", "void use_mpi(); void f() { Mpi::start(); }", "[engine] names Mpi"),
    ("parallel/comm/mpi.cpp", '#include "strata/nn/module.hpp"', "parallel_comm may not include floor nn"),
    ("src/ops/matmul.cpp", '#include "tests/conformance/case.hpp"', "which belongs to no floor"),
    ("include/strata/tensor/tensor.hpp", "#include <fmt/format.h>", "a public header may not include <fmt/format.h>"),
    ("include/strata/tensor/tensor.hpp", "#include <stdint.h>", "a public header may not include <stdint.h>"),
    ("src/ops/matmul.cpp", "#include <mpi.h>", "MPI header <mpi.h> is allowed only in"),
    ("src/ops/matmul.cpp", "#include <dnnl.hpp>", "oneDNN header <dnnl.hpp> is allowed only in"),
    ("src/backends/cpu/matmul.cpp", "#include <cuda_runtime.h>", "CUDA header"),
    ("parallel/comm/mpi.cpp", "#include <nccl.h>", "NCCL header"),
    ("src/ops/matmul.cpp", "#include <hdf5.h>", "HDF5 header"),
    ("src/app/wiring.cpp", "#include <dcmtk/dcmdata/dctk.h>", "DCMTK header"),
    ("src/ops/helper.hpp", "#include <fmt/format.h>", "fmt belongs in sources"),
    ("src/ops/matmul.cpp", "#include <boost/any.hpp>", "unknown library header"),
    ("src/ops/matmul.cpp", '#include "strata/ops/absent.hpp"', "no file strata/ops/absent.hpp"),
    ("src/ops/matmul.cpp", '#include "build_info.hpp"', "no file build_info.hpp"),
    ("src/ops/matmul.cpp", "#ifdef STRATA_HAVE_CUDA\n#endif", "#ifdef on STRATA_HAVE_CUDA"),
    ("src/app/wiring.cpp", "#if defined(STRATA_HAVE_MPI)\n#endif", "#if on STRATA_HAVE_MPI"),
    ("src/ops/matmul.cpp", "// TO" "DO: later", "unfinished-work mark"),
    ("include/strata/sky/cloud.hpp", HEAD + "#pragma once", "include/strata/sky has no line"),
    ("src/ops/bare.cpp", "int x;", "no line 'SPDX-License-Identifier"),
    ("src/ops/bare.hpp", HEAD + "int x();", "without #pragma once"),
    ("cmake/floors.txt", "1 attic src/attic : nn", "attic (level 1) uses nn (level 6)"),
    ("cmake/floors.txt", "8 porch src/porch : backend_cpu", "porch (level 8) uses backend_cpu"),
    ("cmake/floors.txt", "2 cellar src/cellar : nothing_known", "does not stand above it"),
]


def self_test():
    table = (Path(__file__).resolve().parent.parent / "cmake/floors.txt").read_text()
    failures = 0
    for planted in [None] + PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in {**CLEAN, "cmake/floors.txt": table}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            if planted:
                target = root / planted[0]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text((target.read_text() if target.exists() else "") + planted[1] + "\n")
            findings = check_tree(root)
        if planted is None and findings:
            print("clean tree, but found:", *findings, sep="\n  ")
            failures += 1
        elif planted and (len(findings) != 1 or planted[2] not in findings[0]):
            print(f"planted {planted[1]!r} in {planted[0]}, expected one finding with '{planted[2]}', found {findings}")
            failures += 1
    print(f"self-test: {len(PLANTED)} planted violations and a clean tree, {failures} failures")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("files", nargs="*", help="report on these files only")
    arguments = parser.parse_args()
    if arguments.self_test:
        return 1 if self_test() else 0
    root = arguments.root.resolve()
    only = {Path(f).resolve().relative_to(root).as_posix() for f in arguments.files} or None
    findings = check_tree(root, only)
    print(*findings, sep="\n", end="\n" if findings else "")
    if findings:
        print(f"{len(findings)} finding(s); the rules stand in docs/architecture.md, the floors in cmake/floors.txt")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
