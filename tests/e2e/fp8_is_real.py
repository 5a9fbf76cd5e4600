#!/usr/bin/env python3
"""FP8 is really computed at each kind of site: activation scales divided by 16 there, so that values clip at +-448 codes; octet
must follow onnxruntime on the same file, and the file must differ from the plain one. An engine that left the quantizer out would
agree with the plain file instead. Last: all sites at once, divided by 4. 64 evaluation pictures."""
import re

import numpy as np
import onnx
from common import cosines, ort_run, running
from onnx import numpy_helper

LAYER = r"vision_model\.encoder\.layers\.\d+\."
SITES = {  # kind of site -> the QuantizeLinear nodes' names, and how many there are in 8 layers
    "LayerNorm output": (LAYER + r"(self_attn\.q_proj|mlp\.fc1)\.input\.q", 16),
    "q": (LAYER + r"self_attn\.q\.q", 8),
    "k": (LAYER + r"self_attn\.k\.q", 8),
    "v": (LAYER + r"self_attn\.v\.q", 8),
    "softmax": (LAYER + r"self_attn\.p\.q", 8),
    "attention output": (LAYER + r"self_attn\.output\.q", 8),
    "fc2 input": (LAYER + r"mlp\.fc2\.input\.q", 8),
}


def divide(model, pattern, divisor):
    """Divides the scale of each matching QuantizeLinear and of its DequantizeLinear; each pair gets a scale of its own."""
    initializers = {i.name: i for i in model.graph.initializer}
    count = 0
    for node in [n for n in model.graph.node if n.op_type == "QuantizeLinear" and re.fullmatch(pattern, n.name)]:
        scale = numpy_helper.to_array(initializers[node.input[1]])
        smaller = (scale.astype(np.float64) / divisor).astype(scale.dtype)
        assert smaller > 0 and abs(float(smaller) * divisor / float(scale) - 1) < 0.01, node.name
        name = f"{node.name}.scale_divided"
        model.graph.initializer.append(numpy_helper.from_array(np.array(smaller, scale.dtype), name))
        readers = [n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == node.output[0]]
        assert readers, f"nothing dequantizes {node.name}"
        for changed in [node, *readers]:
            changed.input[1] = name
        count += 1
    return count


def variant(run, plain, name, changes):
    model = onnx.load(plain)
    count = sum(divide(model, pattern, divisor) for pattern, divisor in changes)
    path = run.scratch / f"{plain.parent.name}_{plain.stem}_{re.sub('[^a-z0-9]', '_', name.lower())}.onnx"
    onnx.save(model, path)
    return path, count


def prove(run, plain, sites, given, name=None, apart=0.95):
    """`sites`: kind -> (the quantizers' names, how many). `name`: of the input, where the file's name does not say it. `apart`: how much the
    file must change at least; what an engine that leaves a quantizer out would reach of the 0.998 wanted."""
    plain_ort = ort_run(plain, given)
    run.at_least("unchanged file: octet to onnxruntime", cosines(run.infer(plain, given, name=name), plain_ort).mean(), 0.998)
    cases = [(f"{kind} / 16", [(pattern, 16)], count) for kind, (pattern, count) in sites.items()]
    cases.append(("all sites / 4", [(pattern, 4) for pattern, _ in sites.values()], sum(count for _, count in sites.values())))
    for case, changes, wanted in cases:
        path, count = variant(run, plain, case, changes)
        run.equal(f"{case}: quantizers changed", count, wanted)
        expected = ort_run(path, given)
        c = cosines(run.infer(path, given, name=name), expected)
        run.at_least(f"{case}: octet to onnxruntime on the same file (lowest {c.min():.4f})", c.mean(), 0.998)
        run.at_most(f"{case}: onnxruntime, changed file to plain file", cosines(expected, plain_ort).mean(), apart)


if __name__ == "__main__":
    with running(__doc__) as run:
        prove(run, run.onnx("fp8", "image"), SITES, run.inputs("image", 64))
