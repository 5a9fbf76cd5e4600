#!/usr/bin/env python3
"""What docs/guides/why-is-it-not-faster.md promises: a misplaced quantizer is named by profile, with the reason, and mended by putting it back."""
import json

import onnx
from common import running

QUICK = ("--device=cpu", "--duration", 0.2, "--warmUp", 10, "--iterations", 5, "--quiet")
SITE, LAYER = "layers.3.mlp.activation.out", "vision_model.encoder.layers.3.mlp.fc2"


def without_pair(model, site):
    """Removes the Q/DQ pair of one activation: its readers take the tensor as it is."""
    q = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and site in n.input[0])
    for dq in [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == q.output[0]]:
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == dq.output[0]:
                    node.input[i] = q.input[0]
        model.graph.node.remove(dq)
    model.graph.node.remove(q)
    return model


def doubled(model, site):
    """A second Q/DQ pair of the same scale behind the first."""
    q = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and site in n.input[0])
    dq = next(n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == q.output[0])
    again = []
    for node, inputs, output in ((q, dq.output[0], "again.q"), (dq, "again.q", "again.dq")):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name, copy.input[0], copy.output[0] = output, inputs, output
        again.append(copy)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == dq.output[0]:
                node.input[i] = "again.dq"
    at = list(model.graph.node).index(dq) + 1
    for offset, node in enumerate(again):
        model.graph.node.insert(at + offset, node)
    return model


def report(run, *files):
    against = [x for f in files[1:] for x in ("--against", f)]
    return json.loads(run.octet("profile", files[0], *against, "--batch", 4, *QUICK, "--json", "-").stdout)


if __name__ == "__main__":
    with running(__doc__) as run:
        sound, misplaced = run.plan("fp8", "image"), run.scratch / "misplaced_image.onnx"
        onnx.save(without_pair(onnx.load(run.onnx("fp8", "image")), SITE), misplaced)
        data = report(run, sound, misplaced)
        floats = [{s["name"]: s["fp8_reason"] for s in e["steps"] if s["fp8"] in ("no", "partly")} for e in data["engines"]]
        run.equal("what is not in FP8 beside the sound engine's", set(floats[1]) - set(floats[0]), {LAYER})
        run.check("weight in FP8, activation in f16" in floats[1][LAYER], f"the reason: {floats[1][LAYER]}")
        run.equal("Q/DQ that no FP8 step uses", [len(e["stray_quantizers"]) for e in data["engines"]], [0, 1])
        run.equal("what the engines differ in", data["waterfall"][0]["cause"], "precision")
        printed = run.octet("profile", misplaced, "--batch", 4, *QUICK).stdout
        run.check(f"{LAYER}: `{LAYER}.weight`: weight in FP8" in printed, "the text names the layer itself, not a pattern")
        steps = run.steps(f"--loadEngine={sound}")
        twice = run.scratch / "doubled_image.onnx"
        onnx.save(doubled(onnx.load(run.onnx("fp8", "image")), "layers.3.layer_norm1.out"), twice)
        run.equal("a doubled pair changes no step", run.steps(f"--onnx={twice}"), steps)
