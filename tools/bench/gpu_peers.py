#!/usr/bin/env python3
"""octet beside PyTorch on one NVIDIA GPU: both towers of CLIP ViT-L/14, random weights and data, one run that ends within its budget.

  ./dev bench gpu        (makes the engine files, then runs this)
  tools/bench/gpu_peers.py --octet build/release/octet --files DIR     (DIR/{fp16,fp8}/{image,text}.plan)
Order: the GPU's roofs, octet, PyTorch eager FP16, torch.compile max-autotune in FP16 and with FP8 linears, first an encoder layer at a time
(regional compilation: a layer is compiled once), octet once more, then the text tower's FP8 linears and whole towers by torch.compile as far
as the budget reaches.
A peer that fails, or would not end within the budget, is a row that says so. Prints Markdown tables: a tower's engines by time, and
octet's kernels against the roofline. Times are medians of 20 runs (octet: of as many as fit --seconds) with inputs on the GPU.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clip_shapes import VIT_L_14
from octet_exec import Roofs, profile_engine, roofline_table, time_engine

ROOT = Path(__file__).resolve().parents[2]
# What a compile takes at least, in seconds: with less of the budget left, the peer is not started.
LEAST = {"eager": 15, "layers-fp16": 30, "layers-fp8": 30, "whole-fp16": 60, "whole-fp8": 120}
PEERS = {"eager": "PyTorch eager FP16", "layers-fp8": "torch.compile max-autotune by layer, FP8 linears", "layers-fp16": "torch.compile max-autotune by layer, FP16",
         "whole-fp8": "torch.compile max-autotune whole, FP8 linears", "whole-fp16": "torch.compile max-autotune whole, FP16"}
FIRST = [("layers-fp16", "image"), ("layers-fp16", "text"), ("layers-fp8", "image")]  # before octet's second round; the rest may take minutes each
ROOF_KINDS = {"fp16": "FP16", "bf16": "BF16", "fp8": "FP8, fast accumulation", "fp8 full": "FP8, full accumulation"}


@dataclass
class Row:
    label: str
    precision: str                                 # fp16 or fp8: which roof it is measured against
    medians: list = field(default_factory=list)    # ms, one a round
    low: float = 0.0
    high: float = 0.0
    note: str = ""

    @property
    def ms(self):
        return statistics.median(self.medians)

    def add(self, median, low, high, note=""):
        self.low, self.high = (min(self.low, low), max(self.high, high)) if self.medians else (low, high)
        self.medians.append(median)
        self.note = note or self.note


class OutOfTime(Exception):
    pass


class Run:
    """The budget, the rows so far, and the report, which is printed once: at the end, or by the watchdog when the budget is over."""

    def __init__(self, args):
        self.args, self.begin, self.printed = args, time.monotonic(), threading.Lock()
        self.roofs, self.rows, self.profiles, self.notes = Roofs(), {t: {} for t in args.towers}, {}, []
        self.machine, self.versions = "GPU", ""
        watchdog = threading.Timer(args.budget_seconds, self.give_up)
        watchdog.daemon = True
        watchdog.start()
        signal.signal(signal.SIGALRM, self.alarm)

    def seconds(self):
        return time.monotonic() - self.begin

    def left(self):
        return self.args.budget_seconds - self.seconds()

    def say(self, text):
        print(f"[{self.seconds():6.1f} s] {text}", file=sys.stderr, flush=True)

    def alarm(self, *_):
        raise OutOfTime("stopped: the budget is over")

    def give_up(self):
        self.notes.append(f"the budget of {self.args.budget_seconds:g} s ended inside a measurement: what came before it stands")
        self.report()
        os._exit(3)

    def row(self, tower, label, precision):
        return self.rows[tower].setdefault(label, Row(label, precision))

    def attempt(self, what, work, row=None, least=0.0):
        """Runs `work`; whatever goes wrong becomes the row's note (or the report's) and never stops the rest."""
        if self.left() < least + 10:
            reason = f"not run: {self.left():.0f} s of the budget were left"
        else:
            self.say(what)
            signal.setitimer(signal.ITIMER_REAL, max(self.left() - 8, 1))
            try:
                work()
                return
            except Exception as error:
                lines = str(error).strip().splitlines() or [""]
                reason = f"{type(error).__name__}: {lines[0][:160]}"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self.say(f"  {reason}")
        if row is None:
            self.notes.append(f"{what}: {reason}")
        else:
            row.note = reason

    def report(self):
        if not self.printed.acquire(blocking=False):
            return
        for line in self.lines():
            print(line, flush=True)
        if self.args.json:
            rows = {t: [asdict(r) | {"ms": r.ms if r.medians else None} for r in rows.values()] for t, rows in self.rows.items()}
            kernels = {name: [asdict(g) for g in groups] for name, groups in self.profiles.items()}
            result = {"schema": "octet.gpu_peers/1", "machine": self.machine, "versions": self.versions, "batch": self.args.batch, "roofs": asdict(self.roofs),
                      "towers": rows, "kernels": kernels, "notes": self.notes, "seconds": self.seconds()}
            self.args.json.write_text(json.dumps(result, indent=2) + "\n")

    def lines(self):
        yield f"{self.machine}, batch {self.args.batch}, {time.strftime('%Y-%m-%d')}, {self.seconds():.0f} s; {self.versions}"
        products = ", ".join(f"{ROOF_KINDS[k]} {v / 1e12:.0f}" for k, v in self.roofs.product.items())
        yield f"Roofs: copy {self.roofs.copy / 1e12:.2f} TB/s; 8192^3 products, TFLOP/s: {products or 'not measured'}"
        for tower, rows in self.rows.items():
            yield from tower_table(tower, rows, self.roofs, self.args.batch)
        for name, groups in self.profiles.items():
            yield f"\n{name}, its kernels:\n"
            yield from roofline_table(groups, self.roofs)
        for note in self.notes:
            yield f"\nNote: {note}"


def tower_table(tower, rows, roofs, batch):
    yield f"\n| {tower} tower | ms | range | against octet FP16 | against octet FP8 | TFLOP/s | of 8192^3 | |\n|---|---|---|---|---|---|---|---|"
    base = [rows.get(f"octet {p}") for p in ("FP16", "FP8")]
    for row in sorted(rows.values(), key=lambda r: r.ms if r.medians else 1e9):
        if not row.medians:
            yield f"| {row.label} | - | - | - | - | - | - | {row.note} |"
            continue
        rate = batch * VIT_L_14[tower].flop() / (1e-3 * row.ms)
        roof = roofs.product.get(row.precision)
        ratios = " | ".join(f"{row.ms / b.ms:.2f}x" if b and b.medians else "-" for b in base)
        share = f"{100 * rate / roof:.0f} %" if roof else "-"
        yield f"| {row.label} | {row.ms:.3f} | {row.low:.3f} to {row.high:.3f} | {ratios} | {rate / 1e12:.0f} | {share} | {row.note} |"


def measure_roofs(run):
    import clip_torch
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU")
    run.machine = torch.cuda.get_device_name()
    run.versions = (f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, transformers {clip_torch.transformers.__version__}; inductor: "
                    + ", ".join(f"{k}={v}" for k, v in clip_torch.KNOBS.items()))
    run.roofs.copy = clip_torch.copy_rate()
    for kind in ROOF_KINDS:
        run.roofs.product[kind] = clip_torch.product_rate(kind)
        run.say(f"  8192^3 {ROOF_KINDS[kind]}: {run.roofs.product[kind] / 1e12:.0f} TFLOP/s")
    torch.cuda.empty_cache()


def measure_octet(run, tower, precision):
    args, row = run.args, run.row(tower, f"octet {precision.upper()}", precision)

    def work():
        plan = args.files / precision / f"{tower}.plan"
        t = time_engine(args.octet, plan, VIT_L_14[tower], args.batch, args.device, args.seconds)
        row.add(t.median, t.low, t.high)
        run.say(f"  {t.median:.3f} ms ({t.low:.3f} to {t.high:.3f})  {t.device}")
        if len(row.medians) == 1 and t.device:
            run.notes.append(f"octet {precision} {tower}: {t.device}")

    run.attempt(f"octet {precision} {tower}", work, row if not row.medians else None, 10)


def profile_octet(run, tower, precision):
    args, name = run.args, f"octet {precision.upper()} {tower}"

    def work():
        run.profiles[name] = profile_engine(args.octet, args.files / precision / f"{tower}.plan", VIT_L_14[tower], args.batch, args.device)

    run.attempt(f"profile of {name}", work, None, 10)


def measure_peer(run, tower, peer):
    row = run.row(tower, PEERS[peer], "fp8" if peer.endswith("fp8") else "fp16")

    def work():  # a process of its own: a failed capture or compile leaves nothing behind for the next peer
        command = [sys.executable, Path(__file__).with_name("clip_torch.py"), peer, tower, str(run.args.batch)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(run.left() - 8, 1), check=False)
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
        times, note = json.loads(done.stdout.splitlines()[-1])
        row.add(statistics.median(times), times[0], times[-1], note)
        run.say(f"  {row.ms:.3f} ms ({row.low:.3f} to {row.high:.3f}), {note}")

    run.attempt(f"{PEERS[peer]}, {tower}", work, row, LEAST[peer])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octet", default=ROOT / "build/release/octet", type=Path)
    parser.add_argument("--files", default=ROOT / "build/gpu-bench", type=Path, help="folder of fp16/ and fp8/ with image.plan and text.plan")
    parser.add_argument("--device", default="cuda", help="octet's --device")
    parser.add_argument("--batch", default=128, type=int)
    parser.add_argument("--towers", default="image,text", type=lambda text: text.split(","))
    parser.add_argument("--seconds", default=0.8, type=float, help="of timed runs of an octet engine: about 20 of the image tower, as many as a peer gets")
    parser.add_argument("--budget-seconds", default=480.0, type=float, help="the whole run ends within this")
    parser.add_argument("--skip-compile", action="store_true", help="no torch.compile peers")
    parser.add_argument("--skip-peers", action="store_true", help="roofs and octet alone")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    args = parser.parse_args()
    unknown = set(args.towers) - set(VIT_L_14)
    if unknown:
        parser.error(f"no such tower: {', '.join(sorted(unknown))}")
    args.octet = args.octet.resolve()
    return args


def main():
    args = parse_arguments()
    run = Run(args)
    engines = [(t, p) for t in args.towers for p in ("fp16", "fp8")]
    run.attempt("roofs of the GPU", lambda: measure_roofs(run))
    for tower, precision in engines:
        measure_octet(run, tower, precision)
    for tower, precision in engines:
        profile_octet(run, tower, precision)
    for tower in [] if args.skip_peers else args.towers:
        measure_peer(run, tower, "eager")
    compiles = not args.skip_peers and not args.skip_compile
    first = [(p, t) for p, t in FIRST if t in args.towers] if compiles else []
    for peer, tower in first:
        measure_peer(run, tower, peer)
    if not args.skip_peers:  # the GPU is warm now, and its clocks may differ
        for tower, precision in engines:
            measure_octet(run, tower, precision)
    rest = [(p, t) for p in LEAST if p != "eager" for t in args.towers if (p, t) not in first] if compiles else []
    for peer, tower in rest:
        measure_peer(run, tower, peer)
    run.report()


if __name__ == "__main__":
    main()
