#!/usr/bin/env python3
"""octet beside onnxruntime and OpenVINO: the same ONNX files, inputs, threads and batch, one after another in each round.

  ./dev bench peers [--batch 8] [--threads 2] [--rounds 3] [--seconds 3] [--checkpoint DIR] [--tower image|text] [--skip LABEL]...
Prints a Markdown table: median latency over all rounds, its spread between rounds, items per second, octet's FP8 file over it, TFLOP/s
of the model's own products against the fastest arithmetic measured in the same run, and mean cosine of the outputs to onnxruntime's on
the FP8 file. Peers do not multiply FP8 on the CPU: they dequantize and multiply in the type named.
"""
import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino

ROOT = Path(__file__).resolve().parents[2]


def export(args, precision, folder):
    subprocess.run([args.octet, "export", args.checkpoint, "--quiet", "--precision", precision, "--tower", args.tower, "-o", folder / precision], check=True)
    return folder / precision / f"{args.tower}.onnx"


def random_input(path, batch):
    """Floats U[-1, 1], ids in the vocabulary: what `octet exec` feeds."""
    model = onnx.load(path, load_external_data=False)
    (given,) = model.graph.input
    dims = [d.dim_value for d in given.type.tensor_type.shape.dim[1:]]
    random = np.random.default_rng(0)
    if len(dims) == 3:
        return given.name, random.uniform(-1, 1, [batch, *dims]).astype(np.float16)
    return given.name, random.integers(1, 40000, [batch, *dims])


class Onnxruntime:
    def __init__(self, path, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, name, array):
        kind = self.session.get_inputs()[0].type
        return self.session.run(None, {name: array.astype(np.float32) if kind == "tensor(float)" else array})[0]


class Openvino:
    def __init__(self, path, args, precision):
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
        self.compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)

    def run(self, name, array):
        kind = np.float32 if self.compiled.input(0).element_type == openvino.Type.f32 else array.dtype
        return self.compiled([array.astype(kind)])[0]


class Octet:
    """Timed by its own `exec`, which times runs of a prepared engine as the loops below do."""

    def __init__(self, path, args):
        self.path, self.args = path, args

    def run(self, name, array):
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/x.npy", array)
            subprocess.run([self.args.octet, "run", self.path, "--quiet", "--input", f"{name}={folder}/x.npy", "--output-dir", folder], check=True)
            return np.load(next(p for p in Path(folder).glob("*.npy") if p.name != "x.npy"))

    def milliseconds(self, name, array):
        shape = "x".join(map(str, array.shape))
        out = subprocess.run([self.args.octet, "exec", f"--onnx={self.path}", f"--shapes={name}:{shape}", "--no-self-check", "--cpu-threads", str(self.args.threads),
                              f"--duration={self.args.seconds}"], check=True, capture_output=True, text=True).stdout
        return float(re.search(r"Compute Time:.* median = ([0-9.]+) ms", out).group(1))


def milliseconds(peer, name, array, seconds):
    """Median of one run; at least 5 runs and `seconds`, after a warm-up of 0.2 s."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < 0.2:
        peer.run(name, array)
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        peer.run(name, array)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def work_and_roof(path, args):
    """FLOPs of one run of the file, and the fastest arithmetic that octet measures here: (FLOP, FLOP/s, its name)."""
    out = subprocess.run([args.octet, "profile", path, "--batch", str(args.batch), "--cpu-threads", str(args.threads), "--iterations=1", "--duration=0", "--warmUp=0",
                          "--device=cpu", "--quiet", "--json", "-"], check=True, capture_output=True, text=True).stdout
    engine = json.loads(out)["engines"][0]
    best = max((roof for roof in engine["roofs"] if not roof["memory"]), key=lambda roof: roof["rate"])
    return sum(step["flops"] for step in engine["steps"]), best["rate"], best["name"]


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).mean())


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octet", default=ROOT / "build/release/octet", type=Path)
    parser.add_argument("--checkpoint", default=ROOT / "models/clip-cifar10-fp8", type=Path)
    parser.add_argument("--tower", default="image", choices=["image", "text"])
    parser.add_argument("--batch", default=8, type=int)
    parser.add_argument("--threads", default=2, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--seconds", default=3.0, type=float)
    parser.add_argument("--skip", default=[], action="append", help="leave out engines whose label contains this (may be repeated)")
    args = parser.parse_args()
    args.octet = args.octet.resolve()
    with tempfile.TemporaryDirectory() as folder:
        files = {p: export(args, p, Path(folder)) for p in ("fp8", "bf16", "fp16", "fp32")}
        name, array = random_input(files["fp8"], args.batch)
        truth = Onnxruntime(files["fp8"], args).run(name, array)
        cases = []
        for label, make in [("octet, FP8 file", lambda: Octet(files["fp8"], args)), ("octet, BF16 file", lambda: Octet(files["bf16"], args)),
                            ("octet, FP16 file", lambda: Octet(files["fp16"], args)),
                            ("onnxruntime, FP8 file", lambda: Onnxruntime(files["fp8"], args)), ("onnxruntime, FP32 file", lambda: Onnxruntime(files["fp32"], args)),
                            ("OpenVINO f32, FP8 file", lambda: Openvino(files["fp8"], args, "f32")), ("OpenVINO bf16, FP8 file", lambda: Openvino(files["fp8"], args, "bf16")),
                            ("OpenVINO f32, FP32 file", lambda: Openvino(files["fp32"], args, "f32")), ("OpenVINO bf16, FP32 file", lambda: Openvino(files["fp32"], args, "bf16"))]:
            if any(text in label for text in args.skip):
                continue
            try:
                peer = make()
                cases.append((label, peer, cosine(peer.run(name, array), truth), []))
            except Exception as error:  # a peer that cannot run a file is a row of the table too
                cases.append((label, None, str(error).strip().splitlines()[0][:90], []))
        for _ in range(args.rounds):
            for _, peer, _, times in cases:
                if peer is not None:
                    times.append(peer.milliseconds(name, array) if isinstance(peer, Octet) else milliseconds(peer, name, array, args.seconds))
        print(f"{cpu_name()}, {args.threads} threads, {args.tower} tower of {args.checkpoint.name}, batch {args.batch}, {args.rounds} rounds of {args.seconds:g} s, "
              f"{time.strftime('%Y-%m-%d')}; onnxruntime {onnxruntime.__version__}, OpenVINO {openvino.__version__}")
        flop, roof, roof_name = work_and_roof(files["fp8"], args)
        print(f"{flop / 1e9:.0f} GFLOP a run; {roof_name} measured at {roof / 1e12:.2f} TFLOP/s\n")
        own = next((statistics.median(times) for label, _, _, times in cases if label == "octet, FP8 file" and times), None)
        print("| engine and file | median ms | rounds | items/s | octet FP8 is | TFLOP/s | of the roof | cosine to onnxruntime on the FP8 file |\n|---|---|---|---|---|---|---|---|")
        for label, peer, close, times in cases:
            if peer is None:
                print(f"| {label} | - | - | - | - | - | - | does not run: {close} |")
                continue
            median = statistics.median(times)
            rate, ratio = 1e3 * flop / median, f"{median / own:.2f}x" if own else "-"
            print(f"| {label} | {median:.2f} | {min(times):.2f} to {max(times):.2f} | {1e3 * args.batch / median:.1f} | {ratio} | {rate / 1e12:.2f} | "
                  f"{100 * rate / roof:.0f} % | {close:.5f} |")


if __name__ == "__main__":
    main()
