#!/usr/bin/env python3
"""What `octet exec --exportProfile` writes, and the table that the GPU run makes of such files, on this machine's CPU."""
import dataclasses
import json
import subprocess
import sys

from common import ROOT, TOWERS, running

sys.path.insert(0, str(ROOT / "tools" / "bench"))
import octet_exec
from clip_shapes import VIT_L_14

TABLE = ROOT / "tools" / "bench" / "profile_table.py"


def check_file(run, precision):
    file, plan = run.scratch / f"{precision}.json", run.plan(precision, "image")
    printed = run.octet("exec", f"--loadEngine={plan}", "--shapes=pixel_values:2x3x32x32", "--iterations=1", "--duration=0", "--warmUp=0", "--dumpProfile",
                        f"--exportProfile={file}").stdout
    description, *layers = json.loads(file.read_text())
    run.equal(f"{precision}: fields", [sorted(description)] + [list(layers[0])],
              [["batch", "computeMs", "count", "device", "engine", "plainMs", "stepsMs"], ["name", "timeMs", "averageMs", "medianMs", "percentage", "kind", "problem", "kernel"]])
    run.equal(f"{precision}: batch", description["batch"], 2)
    steps = run.steps(f"--loadEngine={plan}")
    run.equal(f"{precision}: a layer a step", [(x["name"], x["kind"], x["kernel"]) for x in layers], [s[:3] for s in steps])
    run.check(all(x["name"] + "  " + x["problem"] in printed for x in layers), f"{precision}: --dumpProfile prints the same layers")
    run.check(all(abs(x["averageMs"] * description["count"] - x["timeMs"]) < 1e-9 * x["timeMs"] and x["medianMs"] > 0 for x in layers), f"{precision}: times")
    share = sum(x["percentage"] for x in layers)
    run.check(abs(share - 100) < 1e-6, f"{precision}: percentages add up to {share}")


def check_table(run):
    """The sums of a made-up pair of profiles."""
    for name, factor in (("slow", 2), ("fast", 1)):
        layers = [("l.0.self_attn.pv", "attention", 3), ("l.0.self_attn.q_proj+self_attn.v_proj", "gemm", 4), ("l.0.mlp.fc1", "gemm", 5), ("head", "gemm", 1), ("ln", "norm", 2)]
        layers = [{"name": n, "kind": k, "medianMs": ms * factor, "kernel": f"{k}_{name}"} for n, k, ms in layers + layers[:1]]
        text = json.dumps([{"count": 1, "batch": 2, "device": "d", "engine": "e", "computeMs": 9 * factor}, *layers])
        (run.scratch / f"{name}.json").write_text(text)
    done = subprocess.run([TABLE, f"A={run.scratch}/slow.json", f"B={run.scratch}/fast.json"], capture_output=True, text=True, check=True)
    rows = {cells[1]: cells[2:-1] for cells in ([c.strip() for c in line.split("|")] for line in done.stdout.splitlines()) if len(cells) > 3}
    run.equal("attention", rows["attention"], ["2", "12.000", "6.000", "2.00x"])
    run.equal("gemms by role", [rows[r][2] for r in ("GEMM q, k, v", "GEMM fc1", "GEMM, others")], ["4.000", "5.000", "1.000"])
    run.equal("sum", rows["all, step by step"], ["", "36.000", "18.000", "2.00x"])
    run.equal("whole runs", rows["whole runs"], ["", "18.000", "9.000", "2.00x"])
    run.check("attention by attention_slow" in done.stdout, "the attention kernels are named")


def check_part(run):
    """The part of the GPU run: on the CPU without the unfused leg, which no CPU kernel has."""
    for precision in ("fp16", "fp8"):
        (run.scratch / precision).symlink_to(run.plan(precision, "image").resolve().parent)
    done = subprocess.run([ROOT / "tools" / "bench" / "gpu_run.sh", "--bin", run.octet_path.parent, "--work", run.scratch, "--device", "cpu", "--batch", "2",
                           "--side", "32", "profile"], capture_output=True, text=True)
    run.equal("exit status", done.returncode, 0)
    for tower in TOWERS:
        run.check(f"{tower} tower" in done.stdout and (run.scratch / f"profile_{tower}.md").stat().st_size > 0, f"{tower}: a table, saved")
        run.check(all((run.scratch / f"profile_{tower}_{leg}.json").exists() for leg in ("fp16", "fp8")), f"{tower}: both profiles saved")
    run.check("FP8 over FP16" in done.stdout and "unfused" not in done.stdout, "columns")
    print(done.stdout)


def check_bench(run):
    """How tools/bench/gpu_peers.py times an engine and reads its profile, on the CPU with the small model's towers."""
    small = dataclasses.replace(VIT_L_14["image"], image=32)
    for tower in (small, VIT_L_14["text"]):
        plan = run.plan("fp8", tower.name)
        timing = octet_exec.time_engine(run.octet_path, plan, tower, 2, "cpu", 0.1)
        run.check(0 < timing.low <= timing.median <= timing.high and timing.device.startswith("Device: cpu"), f"{tower.name}: {timing}")
        groups = octet_exec.profile_engine(run.octet_path, plan, tower, 2, "cpu")
        run.equal(f"{tower.name}: every step is in the table", sum(g.steps for g in groups), len(run.steps(f"--loadEngine={plan}")))
        run.check(all(g.ms > 0 for g in groups) and groups == sorted(groups, key=lambda g: -g.ms), f"{tower.name}: slowest first")
        rows = octet_exec.roofline_table(groups, octet_exec.Roofs(copy=1e10, product={"fp8": 1e12, "fp16": 1e12}))
        run.check(sum("of product" in r or "of copy" in r for r in rows) == len(groups), f"{tower.name}: each of the {len(groups)} has its roof")


if __name__ == "__main__":
    with running(__doc__) as run:
        for precision in ("fp8", "fp16"):
            check_file(run, precision)
        check_table(run)
        check_part(run)
        check_bench(run)
