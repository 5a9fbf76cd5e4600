#!/usr/bin/env python3
"""Every exported file passes onnx.checker with full_check and octet check; NVIDIA's TensorRT for RTX parses and builds every one
that it has types for; one checkpoint gives the same FP8 codes and scales at every opset 20 to 25, with precision FLOAT from 23 on."""
import json
import subprocess
import sys

import onnx
from common import EXPORTS, ROOT, TOWERS, load_json, running
from onnx import numpy_helper

E4M3 = onnx.TensorProto.FLOAT8E4M3FN


def tensorrt(paths):
    """trtcheck's verdict of each path."""
    done = subprocess.run([sys.executable, str(ROOT / "tests/tools/trtcheck.py"), *map(str, paths)], capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(paths), done.stderr
    return {v["file"]: v for v in lines}


def fp8_tensors(path):
    """Bytes of every FP8 initializer and of every scale that a Q or DQ reads, by name."""
    graph = onnx.load(path).graph
    used = {n.input[1] for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")}
    return {i.name: i.raw_data or numpy_helper.to_array(i).tobytes() for i in graph.initializer if i.data_type == E4M3 or i.name in used}


def expectations(run, name, tower, path):
    model = onnx.load(path)
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    flags = EXPORTS[name]
    wanted = int(flags[flags.index("--opset") + 1]) if "--opset" in flags else 20
    domains = {n.domain for n in model.graph.node} | {o.domain for o in model.opset_import}
    quantizers = [n for n in model.graph.node if n.op_type == "QuantizeLinear"]
    precise = all(any(a.name == "precision" and a.i == onnx.TensorProto.FLOAT for a in n.attribute) for n in quantizers) if wanted >= 23 else True
    (given,), (output,) = model.graph.input, model.graph.output
    batch = [t.type.tensor_type.shape.dim[0].dim_param for t in (given, output)]
    ok = opset == wanted and domains == {""} and precise and bool(batch[0]) and batch[0] == batch[1] and bool(quantizers) == name.startswith("fp8")
    run.check(ok, f"{name} {tower}: opset {opset}, domains {sorted(domains)}, {len(quantizers)} Q, batch dims {batch}, {given.name} -> {output.name}")


if __name__ == "__main__":
    with running(__doc__) as run:
        files = {(name, tower): run.onnx(name, tower) for name in EXPORTS for tower in TOWERS}
        for (name, tower), path in files.items():
            onnx.checker.check_model(str(path), full_check=True)
            told = load_json(run.octet("check", path, "--json").stdout)
            run.equal(f"{name} {tower}: onnx.checker accepts; octet check's violations", told["violations"], [])
            expectations(run, name, tower, path)
        verdicts = tensorrt(files.values())
        for (name, tower), path in files.items():
            v = verdicts[str(path)]
            run.check(v["engine_bytes"] is not None, f"{name} {tower}: TensorRT for RTX builds {v['engine_bytes']} bytes {v['errors'][:1] or ''}")
        for tower in TOWERS:
            base = fp8_tensors(files["fp8", tower])
            for opset in range(21, 26):
                run.check(fp8_tensors(files[f"fp8-opset{opset}", tower]) == base, f"{tower}: {len(base)} FP8 tensors and scales equal at opset 20 and {opset}")
