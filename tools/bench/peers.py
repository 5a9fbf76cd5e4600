#!/usr/bin/env python3
"""octet beside onnxruntime, OpenVINO and (--torch) PyTorch: the same model, inputs, threads and batch, one after another in each round.

  ./dev bench peers [--tower image|text|both] [--batch N] [--threads N] [--rounds 3] [--seconds 1] [--skip LABEL]... [--only LABEL]...
                    [--checkpoint DIR] [--all] [--torch] [--json FILE] [--budget 420]
Without --checkpoint the model is ViT-L/14 of random weights (`octet synth`), made once and kept in build/bench with the files exported from it.
Batch 0 (the default) means 8 pictures and 32 texts. Prints a Markdown table a tower: median latency over all rounds, its spread between rounds,
items per second, octet's FP8 file over it, TFLOP/s of the model's own products against the fastest arithmetic measured in the same run, and
mean cosine of the outputs to onnxruntime's on the FP32 file. The peers' "BF16" and "INT8" are what they multiply in; none of them multiplies
FP8 on the CPU (--all adds them on the FP8 file). Progress goes to stderr. After --budget seconds no further round begins.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import openvino

from cpu_peers import Octet, Onnxruntime, Openvino, TorchEager, make_int8
from model_files import Files, add_model_flags, draw, say

MADE = {"int8": ("fp32", make_int8)}
USUAL_BATCH = {"image": 8, "text": 32}
OWN, TRUTH = "octet FP8", "onnxruntime FP32"

# label: (file, make(path, args)); the file is of the export's precision, `int8`, or the checkpoint itself.
PEERS = {
    OWN: ("fp8", Octet),
    "octet FP8 --prepack=bf16": ("fp8", lambda path, args: Octet(path, args, "--prepack=bf16")),
    "octet BF16": ("bf16", Octet),
    "octet FP16": ("fp16", Octet),
    "OpenVINO BF16": ("fp32", lambda path, args: Openvino(path, args, "bf16")),
    "OpenVINO INT8": ("int8", lambda path, args: Openvino(path, args, "bf16")),
    TRUTH: ("fp32", Onnxruntime),
    "onnxruntime INT8": ("int8", Onnxruntime),
}
TORCH = {"torch BF16 eager": ("checkpoint", TorchEager)}
ON_THE_FP8_FILE = {
    "OpenVINO BF16 on the FP8 file": ("fp8", lambda path, args: Openvino(path, args, "bf16")),
    "OpenVINO FP32": ("fp32", lambda path, args: Openvino(path, args, "f32")),
    "onnxruntime on the FP8 file": ("fp8", Onnxruntime),
}


def roofs_and_work(path, args):
    """FLOPs of one run of the file, and the fastest arithmetic that octet measures here now: (FLOP, FLOP/s, its name)."""
    out = subprocess.run([args.octet, "profile", path, "--batch", str(args.batch), "--cpu-threads", str(args.threads), "--iterations=1", "--duration=0", "--warmUp=0",
                          "--device=cpu", "--quiet", "--json", "-"], check=True, capture_output=True, text=True).stdout
    engine = json.loads(out)["engines"][0]
    best = max((roof for roof in engine["roofs"] if not roof["memory"]), key=lambda roof: roof["rate"])
    return sum(step["flops"] for step in engine["steps"]), best["rate"], best["name"]


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean())


def first_line(error):
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120] if str(error).strip() else ''}"


class Case:
    """A row of the table: a peer, what it gave and took, or why it did not."""

    def __init__(self, label, kind, make):
        self.label, self.kind, self.make = label, kind, make
        self.peer = self.output = self.close = self.error = None
        self.times = []

    def attempt(self, what, action):
        if self.error:
            return
        say(f"{self.label}: {what}")
        try:
            action()
        except Exception as error:  # a peer that cannot run is a row of the table too
            self.error, self.peer = first_line(error), None

    def prepare(self, files, args, name, array):
        def action():
            self.peer = self.make(files.get(self.kind), args)
            self.output = self.peer.run(name, array)

        self.attempt("loads", action)

    def time(self, number, name, array):
        self.attempt(f"round {number}", lambda: self.times.append(self.peer.milliseconds(name, array)))


def chosen(args):
    every = {**PEERS, **(TORCH if args.torch else {}), **(ON_THE_FP8_FILE if args.all else {})}
    wanted = lambda label: not any(text in label for text in args.skip) and (not args.only or any(text in label for text in args.only))
    return [Case(label, kind, make) for label, (kind, make) in every.items() if wanted(label)]


def measure(args):
    """-> what the table and the JSON file say of one tower."""
    begin, files = time.monotonic(), Files(args, MADE)
    name, array = draw(files.get("fp8"), args.batch)
    cases = chosen(args)
    for case in cases:
        case.prepare(files, args, name, array)
    flop, roof, roof_name = roofs_and_work(files.get("fp8"), args)
    rounds = 0
    while rounds < args.rounds and (rounds == 0 or time.monotonic() - begin < args.budget):
        rounds += 1
        for case in cases:
            case.time(rounds, name, array)
    roof = max(roof, roofs_and_work(files.get("fp8"), args)[1])  # before and after: what else runs only lowers it
    truth = next((case.output for case in cases if case.label == TRUTH and not case.error), None)
    own = next((statistics.median(case.times) for case in cases if case.label == OWN and case.times), None)
    return {"cpu": cpu_name(), "date": time.strftime("%Y-%m-%d"), "model": files.checkpoint.name, "tower": args.tower, "batch": args.batch, "threads": args.threads,
            "rounds": rounds, "seconds_a_round": args.seconds, "wall_s": round(time.monotonic() - begin, 1),
            "versions": {"onnxruntime": onnxruntime.__version__, "openvino": openvino.__version__.split("-")[0]}, "flop": flop, "roof": {"name": roof_name, "flops": roof},
            "rows": [row_of(case, own, truth, flop, roof, args.batch) for case in cases]}


def row_of(case, own, truth, flop, roof, batch):
    row = {"label": case.label, "file": case.kind}
    if case.error or not case.times:
        return {**row, "error": case.error or "not timed"}
    median = statistics.median(case.times)
    rate = 1e3 * flop / median
    return {**row, "median_ms": median, "rounds_ms": case.times, "items_per_s": 1e3 * batch / median, "octet_fp8_is": median / own if own else None,
            "flops": rate, "of_roof": rate / roof, "cosine": None if truth is None else cosine(case.output, truth)}


def print_table(result):
    print(f"\n{result['cpu']}, {result['threads']} threads, {result['tower']} tower of {result['model']}, batch {result['batch']}, {result['rounds']} rounds, "
          f"{result['date']}; onnxruntime {result['versions']['onnxruntime']}, OpenVINO {result['versions']['openvino']}; {result['wall_s']:.0f} s in all")
    print(f"{result['flop'] / 1e9:.0f} GFLOP a run; {result['roof']['name']} measured at {result['roof']['flops'] / 1e12:.2f} TFLOP/s\n")
    print("| engine | file | median ms | rounds | items/s | octet FP8 is | TFLOP/s | of the roof | cosine to FP32 |\n|---|---|---|---|---|---|---|---|---|")
    for row in result["rows"]:
        if "error" in row:
            print(f"| {row['label']} | {row['file']} | - | - | - | - | - | - | does not run: {row['error']} |")
            continue
        ratio = f"{row['octet_fp8_is']:.2f}x" if row["octet_fp8_is"] else "-"
        close = "-" if row["cosine"] is None else f"{row['cosine']:.5f}"
        print(f"| {row['label']} | {row['file']} | {row['median_ms']:.2f} | {min(row['rounds_ms']):.2f} to {max(row['rounds_ms']):.2f} | {row['items_per_s']:.1f} | {ratio} | "
              f"{row['flops'] / 1e12:.2f} | {100 * row['of_roof']:.0f} % | {close} |", flush=True)


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_flags(parser)
    parser.add_argument("--batch", default=0, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=1.0, type=float, help="a peer and round, and at least two runs")
    parser.add_argument("--budget", default=420.0, type=float, help="seconds a tower")
    parser.add_argument("--skip", default=[], action="append", help="leave out engines whose label contains this (may be repeated)")
    parser.add_argument("--only", default=[], action="append", help="only engines whose label contains this (may be repeated)")
    parser.add_argument("--all", action="store_true", help="also the peers on the FP8 file (slow)")
    parser.add_argument("--torch", action="store_true", help="also PyTorch's eager mode in BF16 (needs torch and transformers)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


def main():
    args = parse()
    args.octet, wanted, results = args.octet.resolve(), args.batch, []
    for args.tower in ["image", "text"] if args.tower == "both" else [args.tower]:
        args.batch = wanted or USUAL_BATCH[args.tower]
        results.append(measure(args))
        print_table(results[-1])
        if args.json:
            args.json.write_text(json.dumps({"towers": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
