#!/usr/bin/env python3
"""What inspect, compare and support say, against what the onnx library, numpy and the files themselves say."""
import collections
import json
import os

import numpy as np
import onnx
from common import MODEL, TOWERS, input_name, running

P = onnx.TensorProto
NAMES = {P.FLOAT16: "f16", P.FLOAT: "f32", P.FLOAT8E4M3FN: "e4m3", P.INT64: "i64"}
SIZES = {"f16": 2, "f32": 4, "e4m3": 1, "i64": 8}


def output_of(run, *args, code=0, env=None):
    return json.loads(run.octet(*args, "--json", "--quiet", code=code, env=env).stdout)


def check_onnx(run, path):
    facts, model = output_of(run, "inspect", path), onnx.load(path)
    run.equal("schema", (facts["schema"], facts["kind"]), ("octet.inspect/1", "onnx"))
    nodes = [n for n in model.graph.node if n.op_type != "Constant"]
    run.equal("nodes per op", facts["ops"], dict(sorted(collections.Counter(n.op_type for n in nodes).items())))
    run.equal("nodes", facts["nodes"], len(nodes))
    run.equal("opset", facts["opset"], next(o.version for o in model.opset_import if o.domain == ""))
    storage = collections.Counter()
    for tensor in model.graph.initializer:
        storage[NAMES[tensor.data_type]] += int(np.prod(tensor.dims)) * SIZES[NAMES[tensor.data_type]]
    run.equal("bytes per dtype", {k: v["bytes"] for k, v in facts["constants"]["by_dtype"].items()}, dict(storage))
    constants = {t.name for t in model.graph.initializer}
    quantize = [n for n in nodes if n.op_type == "QuantizeLinear"]
    dequantize = [n for n in nodes if n.op_type == "DequantizeLinear"]
    q = facts["quantization"]
    run.equal("activation Q", q["activation_q"], sum(n.input[0] not in constants for n in quantize))
    run.equal("weight DQ", q["weight_dq"], sum(n.input[0] in constants for n in dequantize))
    run.equal("quantized tensors", [s["tensor"] for s in q["sites"]], [n.input[0] for n in quantize if n.input[0] not in constants])
    run.equal("a dynamic batch", facts["inputs"][0]["dims"][0], "batch")
    run.equal("violations", facts["type_violations"], 0)


def check_checkpoint(run):
    facts = output_of(run, "inspect", MODEL)
    with open(MODEL / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    weights = {k: v for k, v in header.items() if not k.endswith("._amax")}
    run.equal("tensors", facts["tensors"]["count"], len(weights))
    run.equal("bytes", facts["tensors"]["bytes"], sum(v["data_offsets"][1] - v["data_offsets"][0] for v in weights.values()))
    amax = collections.Counter(k.split(".")[-2] for k in header if k.endswith("._amax"))
    quantizers = facts["quantization"]["quantizers"]
    run.equal("quantizers that are on have a range", {k: v["on"] for k, v in quantizers.items() if v["on"]}, dict(amax))
    run.equal("layers", (facts["clip"]["text"]["layers"], facts["clip"]["vision"]["layers"]), (4, 8))


def check_engine(run, plan):
    facts = output_of(run, "inspect", plan)
    run.equal("valid", (facts["valid"], facts["reasons"], facts["kind"]), (True, [], "engine"))
    run.equal("size", facts["bytes"], os.path.getsize(plan))
    steps = [(s["name"], s["kind"], s["kernel"], s["problem"], s["out_dtype"]) for s in facts["steps"]]
    run.equal("steps", steps, run.steps(f"--loadEngine={plan}"))
    covered = [name for s in facts["steps"] for name in s["source"]]
    run.check(len(set(covered)) == len(covered) == facts["source"]["in_steps"], "every ONNX node is in one step at most")
    run.equal("nodes", facts["source"]["in_steps"] + facts["source"]["folded"], facts["source"]["nodes"])
    damaged = run.scratch / "damaged.plan"
    data = bytearray(plan.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    facts = output_of(run, "inspect", damaged, code=3)
    run.check(not facts["valid"] and "section data" in facts["reasons"][0], f"damage is a reason: {facts['reasons']}")
    damaged.write_bytes(data[:1000])
    run.check(len(output_of(run, "inspect", damaged, code=3)["reasons"]) > 1, "every reason of a truncated file is listed")


def check_layer_info(run, plan):
    """The same engine in the form of TensorRT's inspector."""
    info = json.loads(run.octet("inspect", plan, "--layer-info", "--quiet", "--device=cpu").stdout)
    facts = json.loads(run.octet("inspect", plan, "--json", "--quiet", "--device=cpu").stdout)
    run.equal("layers", [(x["Name"], x["TacticName"]) for x in info["Layers"]], [(s["name"], s["kernel"]) for s in facts["steps"]])
    run.equal("bindings", info["Bindings"], [t["name"] for t in facts["inputs"] + facts["outputs"]])
    nodes = [[part[len("[ONNX Layer: "):-1] for part in x["Metadata"].split("\x1f")] if x["Metadata"] else [] for x in info["Layers"]]
    run.equal("ONNX nodes", nodes, [s["source"] for s in facts["steps"]])
    run.octet("inspect", run.onnx("fp8", "image"), "--layer-info", code=2)


def figures(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.abs(a - b).max(), cosine.mean(), cosine.min(), 10 * np.log10((a * a).sum() / ((a - b) ** 2).sum())


def check_outputs(run, tower):
    a, b, name = run.plan("fp16", tower), run.plan("fp8", tower), input_name(run.plan("fp8", tower))
    array = run.inputs(tower, 20)
    np.save(run.scratch / "x.npy", array)
    given = ("--input", f"{name}={run.scratch}/x.npy")
    output = output_of(run, "compare", a, b, *given)["outputs"][0]
    expected = figures(run.infer(a, array), run.infer(b, array))
    for key, value in zip(("max_abs", "mean_cosine", "min_cosine", "sqnr_db"), expected):
        run.check(abs(output[key] - value) <= 1e-9 * max(1, abs(value)), f"{tower} {key}: {output[key]} against numpy's {value}")
    run.octet("compare", a, b, *given, "--min-cosine", output["mean_cosine"] - 1e-6)
    failed = output_of(run, "compare", a, b, *given, "--min-cosine", output["mean_cosine"] + 1e-6, code=6)
    run.check(not failed["passed"] and len(failed["failures"]) == 1, f"the gate names what failed: {failed['failures']}")
    run.octet("compare", run.onnx("fp8-blog", tower), b, *given, "--min-cosine", 1)  # other names: inputs go by position


def check_layers(run, tower):
    same = output_of(run, "compare", run.plan("fp8", tower), run.onnx("fp8", tower), "--per-layer", "--batch", 3, "--max-code-diff", 0)
    run.equal(f"{tower}: a model against itself: differing values", sum(d["differing"] for d in same["layers"]), 0)
    run.check(all(d["sqnr_db"] is None for d in same["layers"]) and same["only_a"] == same["only_b"] == [], "no error, nothing unpaired")
    mixed = output_of(run, "compare", run.plan("fp16", tower), run.plan("fp8", tower), "--per-layer", "--batch", 3)
    run.equal(f"{tower}: tensors of the FP8 engine that FP16 lacks", mixed["only_b"], [])
    run.equal("one comparison a step", len(mixed["layers"]), len(run.steps(f"--loadEngine={run.plan('fp8', tower)}")))
    run.octet("compare", run.onnx("fp8-no-attention", tower), run.plan("fp8", tower), "--per-layer", "--max-code-diff", 0, code=6)


def check_steps(run, precision, tower):
    forced = output_of(run, "compare", run.plan(precision, tower), "--teacher-forced", "--batch", 2)["forced"][0]["steps"]
    run.equal(f"{precision} {tower}: elements outside the bound, in {len(forced)} steps", sum(s["unexplained"] for s in forced), 0)
    furthest = max((s["max_ulp"] for s in forced if s["out_dtype"] == "e4m3"), default=0)
    run.at_most(f"{precision} {tower}: codes between a stored one and the exact value's", furthest, 1)


def check_support(run):
    facts = output_of(run, "support", "--seconds", "0.01", env={"OCTET_ISA": "portable"})
    run.equal("forced", (facts["isa"]["forced"], facts["isa"]["usable"]), ("portable", "portable"))
    run.equal("rows", {g["kernel"] for g in facts["gemm"]}, {"gemm_any_any_f32_portable"})
    run.check(all(g["median_tflops"] > 0 and g["refused"] for g in facts["gemm"]), "rates are measured, better rows refused with a reason")
    if facts["gpus"]:
        run.check(all(len(gpu["types"]) == 4 or gpu["reason"] for gpu in facts["gpus"]), "a GPU has its kernels, or a reason")
    else:
        run.check(facts["gpu_note"].startswith("none: ") and not facts["cuda"]["usable"], "no GPU: the driver's reason is given")


with running(__doc__) as run:
    check_onnx(run, run.onnx("fp8", "image"))
    check_onnx(run, run.onnx("fp16", "text"))
    check_checkpoint(run)
    for tower in TOWERS:
        check_engine(run, run.plan("fp8", tower))
        check_layer_info(run, run.plan("fp8", tower))
        check_outputs(run, tower)
        check_layers(run, tower)
        for precision in ("fp8", "fp16"):
            check_steps(run, precision, tower)
    check_support(run)
