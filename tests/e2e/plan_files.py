#!/usr/bin/env python3
"""Plan files: bytes within 1.02 x the stored tensors + 64 KiB; a plan cut at 64 places or with one of 1,000 random bytes changed is
refused with a reason by the reader, and by the CLI with exit 3; nothing that is refused runs."""
import subprocess

import numpy as np
import onnx
from common import TOWERS, running


def stored_bytes(path):
    widths = {onnx.TensorProto.FLOAT8E4M3FN: 1, onnx.TensorProto.FLOAT16: 2, onnx.TensorProto.FLOAT: 4, onnx.TensorProto.INT64: 8}
    return sum(int(np.prod(i.dims, dtype=np.int64)) * widths[i.data_type] for i in onnx.load(path).graph.initializer)


if __name__ == "__main__":
    with running(__doc__) as run:
        for precision in ("fp8", "fp16"):
            for tower in TOWERS:
                bound = 1.02 * stored_bytes(run.onnx(precision, tower)) + 65536
                run.at_most(f"{precision} {tower}: bytes of the plan", run.plan(precision, tower).stat().st_size, bound)
        seed = int(np.random.SeedSequence().entropy % 2**32)
        print(f"seed {seed}")
        plan = run.plan("fp8", "image")
        done = subprocess.run([run.tools / "damage_plan", plan, run.scratch / "damaged.plan", str(seed)], capture_output=True, text=True, check=True)
        cases = [line.split(" ", 2) for line in done.stdout.splitlines()]
        for kind, count in (("cut", 64), ("byte", 1000)):
            verdicts = [v for k, _, v in cases if k == kind]
            run.equal(f"{kind}: refused with a reason", sum(v.startswith("refused: ") and len(v) > 20 for v in verdicts), count)
            for v in [v for v in verdicts if not v.startswith("refused")][:5]:
                print("      ", v)
            print("       e.g.", "; ".join(sorted({v.split(": ", 1)[-1][:100] for v in verdicts})[:3]))
        run.equal("the whole copy", [c[2] for c in cases if c[0] == "whole"], ["ok"])
        random, whole = np.random.default_rng(seed), plan.read_bytes()
        for place in [0, 8, 100, *random.integers(0, len(whole), 5).tolist(), len(whole) - 1]:
            damaged = bytearray(whole)
            damaged[place] ^= 0x20
            path = run.scratch / "one_byte.plan"
            path.write_bytes(damaged)
            out = run.octet("exec", f"--loadEngine={path}", "--skipInference", code=None)
            run.check(out.returncode == 3 and "octet: error: " in out.stderr, f"byte {place} changed: exit {out.returncode}: {out.stderr.splitlines()[0][:120]}")
