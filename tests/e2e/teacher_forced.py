#!/usr/bin/env python3
"""Every kernel judged on the exact reference's inputs, on real pictures and prompts: no FP8 code and no f16 value of any step of any
engine may differ beyond what f32 accumulation allows, on every ISA class that this machine runs. And the plain references, `steps`
and `onnx`, agree with onnxruntime end to end."""
import numpy as np
from common import BOUND, TOWERS, cosines, input_name, load_json, ort_run, running

ISAS = ["portable", "avx2", "avx512", "avx512bf16", "amx"]
ITEMS = {"portable": 1}  # the portable row is slow
REFERENCE_ITEMS = 2


def judge(run, precision, tower, isa):
    plan, count = run.plan(precision, tower), ITEMS.get(isa, 3)
    np.save(run.scratch / "input.npy", run.inputs(tower, count))
    done = run.octet("compare", plan, "--teacher-forced", "--json", "--quiet", "--input", f"{input_name(plan)}={run.scratch / 'input.npy'}",
                     env={"OCTET_ISA": isa}, code=None)
    if done.returncode == 2 and "OCTET_ISA" in done.stderr:
        return None
    assert done.returncode in (0, 6), done.stderr
    (forced,) = load_json(done.stdout)["forced"]
    steps = forced["steps"]
    codes = [s for s in steps if s["out_dtype"] == "e4m3"]
    worst = max((s["differing"] / s["elements"] for s in steps), default=0)
    unexplained = [f"{s['name']} ({s['kernel']}): {s['first_unexplained']}" for s in steps if s["unexplained"]]
    run.check(not unexplained, f"{isa} {precision} {tower}: {len(steps)} steps, {len(codes)} of them with FP8 codes, {sum(s['elements'] for s in steps)} values, "
              f"none beyond its bound; at most {100 * worst:.3f} % of a step differ {unexplained[:2] or ''}")
    run.check(bool(codes) == (precision == "fp8") and all(s["elements"] > 0 for s in steps), f"{isa} {precision} {tower}: every step was judged")
    return steps


with running(__doc__) as run:
    ran = [isa for isa in ISAS if all([judge(run, p, t, isa) is not None for p in ("fp8", "fp16") for t in TOWERS])]
    run.check("portable" in ran, f"classes judged: {' '.join(ran)}")
    for precision in ("fp8", "fp16"):
        for tower in TOWERS:
            array, onnx = run.inputs(tower, REFERENCE_ITEMS), run.onnx(precision, tower)
            truth = ort_run(onnx, array)
            for reference in ("steps", "onnx"):
                c = cosines(run.infer(onnx, array, flags=[f"--reference={reference}"]), truth)
                run.at_least(f"{precision} {tower} --reference={reference}: to onnxruntime", c.mean(), BOUND[precision])
