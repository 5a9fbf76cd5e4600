#!/usr/bin/env python3
"""--prepack=bf16: the same bits from FP8 weights that were widened at load, at the memory that inspect reports; and where a kernel keeps
codes, or an engine has none, a line says so."""
import re

from common import TOWERS, load_json, running

QUICK = ["--device=cpu", "--iterations=1", "--duration=0", "--warmUp=0"]
WIDE, CODES = "gemm_e4m3_bf16_", "gemm_e4m3_e4m3_"


def inspected(run, plan, *flags, env=None):
    return load_json(run.octet("inspect", plan, "--json", "--device=cpu", *flags, env=env).stdout)


def count(facts, prefix):
    return sum(steps for kernel, steps in facts["kernels"].items() if kernel.startswith(prefix))


def told(run, plan, env=None):
    """What the line about --prepack says: (widened, in one byte, MiB)."""
    line = re.search(r"prepack=bf16: (\d+) GEMMs .* bf16, (\d+) in one byte; ([\d.]+) MiB", run.octet("exec", f"--loadEngine={plan}", "--prepack=bf16", *QUICK, env=env).stderr)
    return (int(line[1]), int(line[2]), float(line[3])) if line else None


with running(__doc__) as run:
    for tower in TOWERS:
        plan, array = run.plan("fp8", tower), run.inputs(tower, 9)
        run.equal(f"{tower}: the same bits", run.infer(plan, array, flags=["--prepack", "bf16"]), run.infer(plan, array))
        stored, wide = inspected(run, plan), inspected(run, plan, "--prepack=bf16")
        gemms, widened = count(stored, CODES), count(wide, WIDE)
        run.check(gemms > 0 and count(stored, WIDE) == 0, f"{tower}: {gemms} GEMMs keep codes unless asked")
        run.check(widened + count(wide, CODES) == gemms, f"{tower}: {widened} of them widened when asked")
        ratio = wide["resident_weight_bytes"] / stored["resident_weight_bytes"]
        run.check(1 < ratio < 2 if widened else ratio == 1, f"{tower}: weights in memory are {ratio:.2f} times as large")
        run.equal(f"{tower}: the line says the same", told(run, plan), (widened, gemms - widened, round(wide["resident_weight_bytes"] / 2**20, 1)))
    portable = {"OCTET_ISA": "portable"}
    run.equal("a kernel that reads codes: the line says so", told(run, plan, portable)[:2], (0, gemms))
    explained = run.octet("exec", f"--loadEngine={plan}", "--prepack=bf16", "--explain", *QUICK, env=portable).stdout
    run.check("prepack=bf16: gemm_any_any_f32_portable reads weights of one byte" in explained, "--explain gives the reason")
    run.equal("no FP8 weights: the line says so", told(run, run.plan("fp16", "text"))[:2], (0, 0))
    run.check("stored,bf16" in run.octet("exec", f"--loadEngine={plan}", "--prepack=int8", code=2).stderr, "another value is refused, the two are named")
