#!/usr/bin/env python3
"""The fused steps of both towers: seven a layer, nothing stand-alone, FP8 between them; and each ISA class of OCTET_ISA that this
machine has takes kernels of that class and none above it, giving onnxruntime's embeddings within the contract's bound."""
import re

from common import BOUND, TOWERS, cosines, ort_run, running

LAYER = [("norm", "e4m3"), ("gemm", "e4m3"), ("attention", "e4m3"), ("gemm", "f16"), ("norm", "e4m3"), ("gemm", "e4m3"), ("gemm", "f16")]
LADDER = ["portable", "avx2", "avx512", "avx512bf16", "amx"]
AROUND = {  # (kind, output type) before the layers and after them
    "image": ([("patch_embed", "f16"), ("norm", "f16")], [("pool", "f16"), ("norm", "e4m3"), ("gemm", "f16")]),
    "text": ([("embed", "f16")], [("pool", "f16"), ("norm", "e4m3"), ("gemm", "f16")]),
}
LAYERS = {"image": 8, "text": 4}


def expected_steps(tower, layers):
    """(kind, output type) of every step of an FP8 tower."""
    before, after = AROUND[tower]
    return before + LAYER * layers + after


def isa_of(kernel):
    """Rung of the ladder that a kernel's name ends in."""
    ends = [i for i, isa in enumerate(LADDER) if kernel.endswith("_" + isa)]
    return max(ends) if ends else -1


def fp16(steps):
    return [(kind, "f16") for kind, _ in steps]


def check_steps(run, precision, tower):
    layers, expected = LAYERS[tower], expected_steps(tower, LAYERS[tower])
    if precision == "fp16":
        expected = fp16(expected)
    steps = run.steps(f"--loadEngine={run.plan(precision, tower)}")
    run.equal(f"{precision} {tower}: {len(steps)} steps, kinds and output types", [(s[1], s[4]) for s in steps], expected)
    if precision == "fp8":
        gemms = [s[3] for s in steps if s[1] == "gemm"]
        run.check(all(g.startswith("gemm:e4m3xe4m3->") for g in gemms), f"{tower}: {len(gemms)} gemms multiply e4m3 by e4m3")
        run.equal(f"{tower}: fc1 with bias, activation and quantization in one step", sum(bool(re.search(r"->e4m3:.*\+bias\+quick_gelu$", g)) for g in gemms), layers)
        run.equal(f"{tower}: bias and residual in one step", sum(bool(re.search(r"->f16:.*\+bias\+residual$", g)) for g in gemms), 2 * layers)


def check_isa(run, rung):
    isa, few = LADDER[rung], 4 if rung == 0 else 32
    for precision in ("fp8", "fp16"):
        plan = run.plan(precision, "image")
        steps = run.steps(f"--loadEngine={plan}", env={"OCTET_ISA": isa})
        rungs = [isa_of(s[2]) for s in steps]
        # vdpbf16ps does not multiply f16 exactly: FP16 has no kernel of that class.
        top = rung - 1 if (isa, precision) == ("avx512bf16", "fp16") else rung
        run.check(max(rungs) == top and min(rungs) >= 0, f"OCTET_ISA={isa} {precision}: kernels {' '.join(sorted({s[2] for s in steps}))}")
        out = run.infer(plan, run.inputs("image", few), env={"OCTET_ISA": isa})
        c = cosines(out, ort_run(run.onnx(precision, "image"), run.inputs("image", few)))
        run.at_least(f"OCTET_ISA={isa} {precision}: octet to onnxruntime, {few} pictures", c.mean(), BOUND[precision])


if __name__ == "__main__":
    with running(__doc__) as run:
        for precision in ("fp8", "fp16"):
            for tower in TOWERS:
                check_steps(run, precision, tower)
        missing = []
        for rung, isa in enumerate(LADDER):
            forced = run.octet("exec", f"--loadEngine={run.plan('fp8', 'image')}", "--skipInference", code=None, env={"OCTET_ISA": isa})
            if forced.returncode == 0:
                check_isa(run, rung)
            else:
                missing.append(isa)
                run.check(forced.returncode == 2 and isa in forced.stderr, f"OCTET_ISA={isa}: refused here: {forced.stderr.splitlines()[0]}")
        run.check("portable" not in missing, f"classes this machine lacks: {missing or 'none'}")
