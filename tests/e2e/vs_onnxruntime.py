#!/usr/bin/env python3
"""Every exported file in onnxruntime and in octet, on 32 pictures or prompts: mean cosine within the bound of its precision, and the
same bits for a row alone, at every opset and of bytes as of floats. onnxruntime has no bf16 kernels on the CPU: bf16 is judged against the fp32 file."""
import numpy as np
from common import BOUND, EXPORTS, TOWERS, cosines, ort_run, running

COUNT = 32

with running(__doc__) as run:
    outputs = {}
    for name in EXPORTS:
        for tower in TOWERS:
            path, array = run.onnx(name, tower), run.inputs(tower, COUNT, name)
            if "int32" in name and tower == "text":
                array = array.astype(np.int32)
            bf16 = name.startswith("bf16")
            judge = run.onnx(name.replace("bf16", "fp32"), tower) if bf16 else path
            # bf16 keeps 8 bits: sixteen roundings of 2^-9 a layer add to about 1e-4 of energy; FP8's bound is ample.
            bound = BOUND["fp8" if bf16 else name.split("-")[0]]
            mine = outputs[name, tower] = run.infer(path, array)
            c = cosines(mine, ort_run(judge, array))
            run.at_least(f"{name} {tower}: octet to onnxruntime (lowest {c.min():.5f})", c.mean(), bound)
            if "normalize" in name:
                run.at_most(f"{name} {tower}: largest distance of a norm from 1", float(np.abs(np.linalg.norm(mine, axis=-1) - 1).max()), 2e-3)
            if name in ("fp8", "fp16"):
                run.equal(f"{name} {tower}: row 2 alone", run.infer(path, array[2:3])[0], mine[2])
            if "-opset" in name:
                run.equal(f"{name} {tower}: as at opset 20", mine, outputs[name.split("-")[0], tower])
            if name in ("fp8-uint8", "fp16-uint8"):  # the others' floats are not f16
                run.equal(f"{name} {tower}: as of floats", mine, outputs[name.split("-")[0], tower])
