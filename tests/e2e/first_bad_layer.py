#!/usr/bin/env python3
"""`octet compare --per-layer` names the layer whose quantizer is wrong, against another engine and against onnxruntime. Step by step on
onnxruntime's tensors a sound engine stays within the bounds, and errors that leave its embeddings near do not."""
import json
import sys

import numpy as np
import onnx
from common import TOWERS, cosines, input_name, ort_run, running, steps_beside_onnxruntime
from onnx import numpy_helper


def spoil(model, kind, factor):
    """The model with the Q/DQ scale of one site divided; the tensor that this site quantizes."""
    constants = {t.name: t for t in model.graph.initializer}
    site = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and kind in n.input[0])
    users = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear") and (n is site or n.input[0] == site.output[0])]
    scale = numpy_helper.to_array(constants[site.input[1]])
    model.graph.initializer.append(numpy_helper.from_array((scale / factor).astype(scale.dtype), "spoiled_scale"))
    for node in users:
        node.input[1] = "spoiled_scale"
    return site.input[0]


def compared(run, *args, code=0):
    return json.loads(run.octet("compare", *args, "--json", "--quiet", "--device=cpu", code=code).stdout)


def left_out(model, kind):
    """The model without the Q/DQ pair of one site."""
    site = next(n for n in model.graph.node if n.op_type == "QuantizeLinear" and kind in n.input[0])
    for dq in [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == site.output[0]]:
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                if name == dq.output[0]:
                    node.input[i] = site.input[0]
        model.graph.node.remove(dq)
    model.graph.node.remove(site)


def nudged(model, kind):
    """The model with the gammas of one LayerNorm 2 % greater."""
    norm = next(n for n in model.graph.node if n.op_type == "LayerNormalization" and kind in n.name)
    tensor = next(t for t in model.graph.initializer if t.name == norm.input[1])
    tensor.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(tensor).astype(np.float32) * 1.02).astype(np.float16), tensor.name))


WRONG = {  # small errors, one a model: where the graph is changed
    "one scale 4 % less": lambda m: spoil(m, "layers.1.layer_norm2.out", 1.04),
    "one scale 20 % more": lambda m: spoil(m, "layers.2.mlp.activation.out", 1 / 1.2),
    "one pair left out": lambda m: left_out(m, "layers.1.layer_norm2.out"),
    "gammas 2 % more": lambda m: nudged(m, "layers.1.layer_norm1"),
}


def errors_are_seen(run, tower):
    sound, given = run.onnx("fp8", tower), run.inputs(tower, 4)
    judged, missing = steps_beside_onnxruntime(run, sound, {input_name(sound): given})
    run.equal(f"{tower}: steps of the sound engine beyond their bounds", [j for j in judged if not j[4]], [])
    for name, change in WRONG.items():
        model, path = onnx.load(sound), run.scratch / f"wrong_{tower}.onnx"
        change(model)
        onnx.save(model, path)
        judged, _ = steps_beside_onnxruntime(run, sound, {input_name(sound): given}, engine=path)
        beyond = [j for j in judged if not j[4]]
        near = cosines(run.infer(path, given), ort_run(sound, given)).mean()
        run.check(0 < len({j[0] for j in beyond}) <= 2, f"{tower}, {name}: {[(j[0], round(j[2], 2), j[1]) for j in beyond]}; embeddings at cosine {near:.6f}")


if __name__ == "__main__":
    with running(__doc__) as run:
        for tower, kind in zip(TOWERS, ("layers.2.mlp.activation.out", "layers.1.layer_norm2.out")):
            model = onnx.load(run.onnx("fp8", tower))
            tensor, spoiled = spoil(model, kind, 16), run.scratch / f"spoiled_{tower}.onnx"
            onnx.save(model, spoiled)
            np.save(run.scratch / "x.npy", run.inputs(tower, 4))
            given = ("--input", f"{input_name(spoiled)}={run.scratch}/x.npy")
            found = compared(run, run.plan("fp16", tower), spoiled, "--per-layer", *given)
            run.equal(f"{tower}: the first bad layer", found["first_bad_layer"], tensor)
            layer = next(x for x in found["layers"] if x["name"] == tensor)
            run.check(layer["saturated_b_percent"] > 1 and layer["lost_db"] > 12, f"its codes saturate: {layer['saturated_b_percent']:.1f} %, {layer['lost_db']:.0f} dB lost")
            sound = compared(run, run.plan("fp16", tower), run.plan("fp8", tower), "--per-layer", *given)
            run.equal(f"{tower}: a sound engine has none", sound["first_bad_layer"], None)
            run.check(all(x["lost_db"] < 12 for x in sound["layers"]), f"its steps lose {max(x['lost_db'] for x in sound['layers']):.1f} dB at most")
            # onnxruntime clips there too: its own scale is no error of octet's.
            same = compared(run, spoiled, "--against", "onnxruntime", "--python", sys.executable, *given)
            run.check(next(x for x in same["layers"] if x["name"] == tensor)["saturated_b_percent"] > 1, "onnxruntime runs the same file")
            other = compared(run, run.onnx("fp8", tower), spoiled, "--against", "onnxruntime", "--python", sys.executable, *given)
            run.equal(f"{tower}: against onnxruntime on the sound file", other["first_bad_layer"], tensor)
            good = compared(run, run.onnx("fp8", tower), "--against", "onnxruntime", "--python", sys.executable, *given)
            run.equal(f"{tower}: onnxruntime and octet agree", (good["first_bad_layer"], good["b"]), (None, str(run.onnx("fp8", tower))))
            run.check(len(good["outputs"]) == 1 and good["outputs"][0]["mean_cosine"] >= 0.998, f"outputs: {good['outputs'][0]['mean_cosine']:.6f}")
            errors_are_seen(run, tower)
        run.octet("compare", run.onnx("fp8", "text"), "--against", "onnxruntime", "--python", run.scratch / "no-python", code=4)
        run.octet("compare", run.plan("fp8", "text"), "--against", "onnxruntime", code=2)
