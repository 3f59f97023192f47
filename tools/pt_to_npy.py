#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns published volumes (.pt of PyTorch, .npz of NumPy) into .npy files that `strata ingest` reads.

    tools/pt_to_npy.py volumes/ --out npy/           every .pt and .npz below a folder, the same tree under npy/
    tools/pt_to_npy.py scan.npz --out npy/ --key ct  one array of several by its name

Nothing in a file is executed: .pt files are loaded with weights_only, .npz files without pickle. Values stay what they are; types that Strata
does not read become the next one that holds them all (float16 and bfloat16: float32; bool: uint8; int8: int16; uint16: int32; uint32: int64).
Leading axes of length one go, so that a volume is [D, H, W]; an array [T, D, H, W] becomes T files with --split. A file is written whole or
not at all; what is there already is left alone unless --overwrite is given. Exit code 1 if any file could not be turned, each with its reason.

Needs: pip install numpy (and torch for .pt)
"""

import argparse
import os
import pickle
import sys
from pathlib import Path

try:
    import numpy as np
except ImportError:  # --help works without
    np = None

WIDER = {"float16": "float32", "bool": "uint8", "int8": "int16", "uint16": "int32", "uint32": "int64"}
READ_BY_STRATA = {"float32", "float64", "int16", "int32", "int64", "uint8"}


def arrays_of_pt(path: Path) -> dict:
    import torch

    def collect(value, name: str, into: dict) -> dict:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            into[name] = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
        elif isinstance(value, dict):
            for key, item in value.items():
                collect(item, f"{name}.{key}" if name else str(key), into)
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                collect(item, f"{name}.{index}" if name else str(index), into)
        return into

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError("this is no file of tensors alone: it is damaged, or would run code when loaded") from error
    return collect(content, "", {})


def arrays_of_npz(path: Path) -> dict:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def chosen(arrays: dict, key: str) -> "np.ndarray":
    if key:
        if key not in arrays:
            raise ValueError(f"there is no array '{key}'; there are {', '.join(sorted(arrays)) or 'none'}")
        return arrays[key]
    volumes = {name: array for name, array in arrays.items() if array.ndim >= 3}
    if len(volumes) != 1:
        raise ValueError(f"{len(volumes)} arrays of three dimensions or more ({', '.join(sorted(volumes)) or 'none'}): say which with --key")
    return next(iter(volumes.values()))


def as_volumes(array: "np.ndarray", split: bool) -> list:
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 4 and split:
        return [volume for part in array for volume in as_volumes(part, False)]
    if array.ndim != 3:
        raise ValueError(f"shape {list(array.shape)} is no volume [D, H, W]{'; --split makes one file of each' if array.ndim == 4 else ''}")
    if array.size == 0:
        raise ValueError(f"shape {list(array.shape)} is empty")
    dtype = array.dtype.newbyteorder("=")
    dtype = np.dtype(WIDER.get(dtype.name, dtype.name))
    if dtype.name not in READ_BY_STRATA:
        raise ValueError(f"values of type {array.dtype} are not read by Strata")
    return [np.ascontiguousarray(array, dtype=dtype)]


def write(path: Path, array: "np.ndarray") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sources(inputs: list, out: Path) -> list:
    """Pairs of a source and its target; two sources with one target are an error."""
    pairs = {}
    for given in inputs:
        if given.is_dir():
            found = sorted(p for p in given.rglob("*") if p.suffix in (".pt", ".npz") and p.is_file())
            named = [(p, p.relative_to(given)) for p in found]
        elif given.is_file():
            named = [(given, Path(given.name))]
        else:
            raise SystemExit(f"pt_to_npy: there is no file or folder {given}")
        for source, relative in named:
            target = out / relative.with_suffix(".npy")
            if pairs.setdefault(target, source) != source:
                raise SystemExit(f"pt_to_npy: {pairs[target]} and {source} would both become {target}")
    return [(source, target) for target, source in pairs.items()]


def targets_of(target: Path, count: int) -> list:
    return [target] if count == 1 else [target.with_name(f"{target.stem}_{i:03d}.npy") for i in range(count)]


def convert(source: Path, target: Path, options: argparse.Namespace) -> None:
    arrays = arrays_of_pt(source) if source.suffix == ".pt" else arrays_of_npz(source)
    volumes = as_volumes(chosen(arrays, options.key), options.split)
    for path, volume in reversed(list(zip(targets_of(target, len(volumes)), volumes))):  # the first file says that all are there
        write(path, volume)
        print(f"{path} {volume.dtype} {list(volume.shape)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, nargs="+", help="files, or folders that are searched")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--key", default="", help="the array to take where a file holds several: 'image', 'data.ct', '0'")
    parser.add_argument("--split", action="store_true", help="write each [D, H, W] of a four-dimensional array as a file")
    parser.add_argument("--overwrite", action="store_true", help="write what is there already, too")
    options = parser.parse_args()
    if np is None:
        raise SystemExit("pt_to_npy: numpy is missing: pip install numpy (and torch for .pt)")
    pairs = sources(options.input, options.out)
    if not pairs:
        raise SystemExit("pt_to_npy: no .pt or .npz file was found")
    written = kept = failed = 0
    for source, target in pairs:
        if (target.exists() or targets_of(target, 2)[0].exists()) and not options.overwrite:
            kept += 1
            continue
        try:
            convert(source, target, options)
        except Exception as error:  # any of a thousand ways to be broken: the next file may be whole
            failed += 1
            print(f"{source}: {str(error).splitlines()[0] if str(error) else type(error).__name__}", file=sys.stderr)
        else:
            written += 1
    print(f"{written} written, {kept} there already, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
