#!/usr/bin/env python3
"""Peak memory, load and build of one engine on the CPU, against what octet itself prints.

  ./dev bench memory [--checkpoint DIR] [--tower image|text|both] [--batches 1 8 32] [--threads N] [--json FILE]
Without --checkpoint the model is ViT-L/14 of random weights, as for `./dev bench peers`. A row a batch: peak resident memory (ru_maxrss) of
`octet exec` with one session and with two that share the engine, against weights + arena as `exec` prints them, the program itself (what
`octet --version` takes) and the inputs and outputs. Then: load to first result (the wall time of `octet run`, the process included; the best of
five, the file in the page cache), the build, and resident weights of FP8 over BF16.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from model_files import Files, add_model_flags, draw

MIB = 1 << 20
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}


# Linux counts into a program's peak what its parent had resident when it was started, and this script has read models: a small process
# between them starts the program. It writes the exit status, the peak in KiB and the wall seconds to the file it is given.
LAUNCHER = """
import os, sys, time
begin = time.perf_counter()
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
open(sys.argv[1], "w").write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss} {time.perf_counter() - begin}")
"""


def peak_of(command):
    """(peak resident bytes, standard output, wall seconds) of a command that must succeed."""
    with tempfile.NamedTemporaryFile("r") as figures:
        done = subprocess.run([sys.executable, "-S", "-E", "-c", LAUNCHER, figures.name, *map(str, command)], capture_output=True, text=True, check=True)
        code, peak, seconds = figures.read().split()
    if code != "0":
        sys.exit(f"exit {code}: {' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return int(peak) * 1024, done.stdout, float(seconds)


def printed_bytes(text, name):
    """The size that exec's line `Device:` names, in bytes; as precise as print is."""
    found = re.search(rf"{name} ([\d.]+) (B|KiB|MiB|GiB)", text)
    if not found:
        sys.exit(f"no `{name} ...` in what exec printed:\n{text}")
    return float(found[1]) * UNITS[found[2]]


def memory_row(args, plan, name, array, batch, program):
    shape = "x".join(map(str, [batch, *array.shape[1:]]))
    command = [args.octet, "exec", f"--loadEngine={plan}", f"--shapes={name}:{shape}", "--device=cpu", f"--cpu-threads={args.threads}", "--warmUp=0", "--duration=0",
               "--iterations=2"]
    one, text, _ = peak_of(command)
    two = peak_of([*command, "--infStreams=2"])[0]
    weights, arena = printed_bytes(text, "weights"), printed_bytes(text, "arena")
    tensors = batch * array[0].nbytes
    return {"batch": batch, "weights": weights, "arena": arena, "tensors": tensors, "program": program, "peak": one, "peak_two_sessions": two,
            "over": one / (weights + arena + program + tensors), "over_without_program": one / (weights + arena)}


def load_seconds(args, plan, name, array):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", array[:1])
        command = [args.octet, "run", plan, "--quiet", "--device", "cpu", "--input", f"{name}={folder}/x.npy", "--output-dir", folder]
        return min(peak_of(command)[2] for _ in range(5))


def built(args, path):
    """(plan, seconds, bytes): the whole `exec`, its self-check included."""
    plan = path.with_suffix(".plan")
    seconds = peak_of([args.octet, "exec", f"--onnx={path}", f"--saveEngine={plan}", "--skipInference", "--device=cpu"])[2]
    return plan, seconds, plan.stat().st_size


def resident(args, plan):
    text = subprocess.run([args.octet, "inspect", plan, "--json"], check=True, capture_output=True, text=True).stdout
    return json.loads(text)["resident_weight_bytes"]


def measure(args):
    files = Files(args)
    path, program = files.get("fp8"), peak_of([args.octet, "--version"])[0]
    plan, build_s, size = built(args, path)
    name, array = draw(path, 1)
    bf16 = built(args, files.get("bf16"))[0]
    return {"tower": args.tower, "rows": [memory_row(args, plan, name, array, batch, program) for batch in args.batches], "load_s": load_seconds(args, plan, name, array),
            "build_s": build_s, "engine_bytes": size, "resident_fp8_over_bf16": resident(args, plan) / resident(args, bf16)}


def print_table(result):
    print(f"\n{result['tower']} tower\n\n| batch | weights | arena | inputs | peak | of weights + arena | of these, program and inputs | second session |\n|---|---|---|---|---|---|---|---|")
    for r in result["rows"]:
        print(f"| {r['batch']} | {r['weights'] / MIB:.1f} MiB | {r['arena'] / MIB:.1f} MiB | {r['tensors'] / MIB:.1f} MiB | {r['peak'] / MIB:.1f} MiB | "
              f"{100 * r['over_without_program']:.0f} % | {100 * r['over']:.0f} % | +{(r['peak_two_sessions'] - r['peak']) / MIB:.1f} MiB |")
    print(f"\nload to first result {result['load_s']:.2f} s; build {result['build_s']:.2f} s, {result['engine_bytes'] / MIB:.1f} MiB; "
          f"resident weights {result['resident_fp8_over_bf16']:.3f} of the BF16 engine's", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser)
    parser.add_argument("--batches", default=[1, 8, 32], type=int, nargs="+")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    args.octet, results = args.octet.resolve(), []
    for args.tower in ["image", "text"] if args.tower == "both" else [args.tower]:
        results.append(measure(args))
        print_table(results[-1])
    if args.json:
        args.json.write_text(json.dumps({"towers": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
