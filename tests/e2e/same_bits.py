#!/usr/bin/env python3
"""Bit-identical results: one and two threads, a row alone and anywhere in a batch, run after run, a plan copied and loaded by
another process; and ids after the first EOS cannot change a text embedding."""
import shutil

import numpy as np
from common import EOS, TOWERS, running

with running(__doc__) as run:
    for precision in ("fp8", "fp16"):
        for tower in TOWERS:
            what, plan, array = f"{precision} {tower}", run.plan(precision, tower), run.inputs(tower, 37)
            out = run.infer(plan, array)
            run.equal(f"{what}: again", run.infer(plan, array), out)
            run.equal(f"{what}: one thread", run.infer(plan, array, flags=["--cpu-threads", 1]), out)
            run.equal(f"{what}: two threads", run.infer(plan, array, flags=["--cpu-threads", 2]), out)
            run.equal(f"{what}: five threads", run.infer(plan, array, flags=["--cpu-threads", 5]), out)
            run.equal(f"{what}: batch reversed", run.infer(plan, array[::-1].copy())[::-1], out)
            for row in (0, 17, 36):
                run.equal(f"{what}: row {row} alone", run.infer(plan, array[row:row + 1])[0], out[row])
            copy = run.scratch / f"elsewhere_{precision}_{tower}.plan"
            shutil.copy(plan, copy)
            run.equal(f"{what}: the plan copied", run.infer(copy, array), out)
            again = run.build(run.onnx(precision, tower), run.scratch / f"again_{tower}.plan")
            run.check(again.read_bytes() == plan.read_bytes(), f"{what}: built again, the same {plan.stat().st_size} bytes")

    seed = int(np.random.SeedSequence().entropy % 2**32)
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    ids = run.inputs("text", 64)
    first = (ids == EOS).argmax(1)
    run.check(bool((ids == EOS).any(1).all()), "every prompt ends with EOS")
    changed = ids.copy()
    for row, at in zip(changed, first):
        row[at + 1:] = random.integers(0, EOS + 1, ids.shape[1] - at - 1)
    run.check(bool((changed != ids).any(1).all()), "ids after the first EOS are redrawn in every row")
    for precision in ("fp8", "fp16"):
        plan = run.plan(precision, "text")
        run.equal(f"{precision}: embeddings with ids redrawn after EOS", run.infer(plan, changed), run.infer(plan, ids))
