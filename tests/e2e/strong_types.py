#!/usr/bin/env python3
"""Strong typing as TensorRT judges it: the FP8 image tower changed in one place at a time; `octet check` and NVIDIA's TensorRT for
RTX must give the same verdict on each change, and octet must name the node."""
import numpy as np
import onnx
from common import load_json, running
from exports_accepted import tensorrt
from onnx import TensorProto, helper, numpy_helper

LAYER = "vision_model.encoder.layers.2."


def retype(model, name, dtype):
    """Stores an initializer in another float type."""
    for i in model.graph.initializer:
        if i.name == name:
            i.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(i).astype(dtype), name))
            return
    raise KeyError(name)


def cast_before(model, node, index, to):
    """Puts a Cast in front of one input of the named node."""
    at = next(i for i, n in enumerate(model.graph.node) if n.name == node)
    target = model.graph.node[at]
    cast = helper.make_node("Cast", [target.input[index]], [f"{node}.cast_{index}"], f"{node}.cast_{index}", to=to)
    target.input[index] = cast.output[0]
    model.graph.node.insert(at, cast)


# What is changed, how, whether it is still well typed, and a word that octet's message must hold.
CHANGES = [
    ("nothing", lambda m: None, True, ""),
    ("a bias in f32", lambda m: retype(m, LAYER + "mlp.fc1.bias", np.float32), False, "mlp.fc1"),
    ("a LayerNorm weight in f32", lambda m: retype(m, LAYER + "layer_norm1.weight", np.float32), False, "layer_norm1"),
    ("softmax computed in f32, quantized with an f16 scale", lambda m: cast_before(m, LAYER + "self_attn.softmax", 0, TensorProto.FLOAT), False, "self_attn.p.q"),
    ("the residual in f32", lambda m: cast_before(m, LAYER + "add_mlp", 1, TensorProto.FLOAT), False, "add_mlp"),
    ("one operand of the score product in f32", lambda m: cast_before(m, LAYER + "self_attn.qk", 0, TensorProto.FLOAT), False, "self_attn.qk"),
    ("a cast to the same type", lambda m: cast_before(m, LAYER + "self_attn.softmax", 0, TensorProto.FLOAT16), True, ""),
]

if __name__ == "__main__":
    with running(__doc__) as run:
        paths = []
        for i, (what, change, _, _) in enumerate(CHANGES):
            model = onnx.load(run.onnx("fp8", "image"))
            del model.graph.value_info[:]
            change(model)
            paths.append(run.scratch / f"change_{i}.onnx")
            onnx.save(model, paths[-1])
        verdicts = tensorrt(paths)
        for path, (what, _, well_typed, word) in zip(paths, CHANGES):
            built = verdicts[str(path)]["engine_bytes"] is not None
            done = run.octet("check", path, "--json", code=None)
            violations = load_json(done.stdout)["violations"] if done.returncode in (0, 3) else None
            agreed = built == well_typed and done.returncode == (0 if well_typed else 3)
            named = well_typed or any(word in v["node"] for v in violations or [])
            fix = f": {violations[0]['node']}: {violations[0]['fix']}" if violations else ""
            run.check(agreed and named, f"{what}: TensorRT {'builds' if built else 'refuses'}, octet check exits {done.returncode}{fix[:160]}")
