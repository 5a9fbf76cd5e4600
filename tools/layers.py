#!/usr/bin/env python3
"""Checks that every #include in src/ points to a folder that its own may see (ARCHITECTURE.md, Layers).
Two rules matter most: the runtime never sees ir, ops or passes, and kernels never see ir or plan. src/*.cpp may see everything.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOW = {"base", "numeric"}
COMPILER = LOW | {"text", "image", "ir", "ops", "formats", "quant", "frontends"}
# Folder of src/ -> folders whose headers it may include besides its own.
MAY = {
    "base": set(),
    "numeric": {"base"},
    "text": LOW, "image": LOW,
    "ir": LOW,
    "ops": LOW | {"ir"},
    "interp": LOW | {"ir", "ops"},
    "formats": LOW,  # formats/onnx: see below
    "quant": COMPILER, "frontends": COMPILER,
    "passes": COMPILER | {"interp"},  # folding runs the operators' references
    "lower": LOW | {"ir", "ops", "plan"},
    "plan": LOW,
    "runtime": LOW | {"plan"},
    "cpu": LOW | {"plan", "runtime"},
    "cuda": LOW | {"plan", "runtime"},
    "kernels": LOW,
    "oracle": LOW | {"plan", "runtime"},
    "profile": LOW | {"plan", "runtime"},
    "report": LOW | {"plan", "profile"},
    "serve": LOW | {"text", "image", "plan", "runtime", "formats"},
    "api": LOW | {"plan", "cpu", "cuda", "runtime"},
}
# What kernels of either target are and may see of it: instruction sets; GPU facts and tensor maps.
KERNELS = re.compile(r"cpu/(kernels|simd|isa)\b|cuda/(kernels/|gpu\.h|driver/tensor_map\.h)")


def layer(path):
    """The row of MAY for a file of src/, or None for those that may see everything (src/*.cpp: the compiler)."""
    parts = path.relative_to(ROOT / "src").parts
    if len(parts) == 1:
        return None
    return "kernels" if KERNELS.match("/".join(parts)) else parts[0]


def refused(path, included):
    """Why `path` may not include "included", or an empty string."""
    here = layer(path)
    if here is None or "/" not in included:
        return ""
    if included.startswith("octet/"):
        return ""  # the public headers
    folder = included.split("/")[0]
    if folder not in MAY:
        return f"unknown folder {folder}/"
    if here == "kernels":
        if (KERNELS.match(included) and included.split("/")[0] == path.relative_to(ROOT / "src").parts[0]) or folder in LOW:
            return ""
        return "kernels see base, numeric and other kernels only"
    allowed = MAY[here] | {here}
    if here == "formats" and "onnx" in path.parts:
        allowed = allowed | {"ir", "ops"}
    if here == "api" and path.name.endswith("_test.cpp"):
        allowed = allowed | {"oracle"}  # its tests judge the CPU backend
    return "" if folder in allowed else f"{here} may see {', '.join(sorted(allowed - {here})) or 'nothing'}, not {folder}"


def main():
    unknown = [d.name for d in (ROOT / "src").iterdir() if d.is_dir() and d.name not in MAY]
    problems = [f"src/{name}/: no row in tools/layers.py" for name in unknown]
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".h", ".cpp") and not p.relative_to(ROOT / "src").parts[0] in unknown)
    count = 0
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if match:
                count += 1
                why = refused(path, match.group(1))
                if why:
                    problems.append(f"{path.relative_to(ROOT)}:{number}: includes {match.group(1)}: {why}")
    print("\n".join(problems + [f"layers: {len(files)} files, {count} includes, {len(problems)} wrong"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
