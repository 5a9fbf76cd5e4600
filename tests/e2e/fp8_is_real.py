#!/usr/bin/env python3
"""FP8 is really computed at each kind of site: activation scales divided by 16 there, so that values clip at +-448 codes; octet
must follow onnxruntime on the same file, and the file must differ from the plain one. An engine that left the quantizer out would
agree with the plain file instead. Last: all sites at once, divided by 4. 64 evaluation pictures. --files DIR judges the image tower
DIR/fp8/image.onnx on random pictures instead; where random weights make a site matter little, the exact reference judges its codes."""
import re

import numpy as np
import onnx
import vit_l_14
from common import cosines, load_json, ort_run, running
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


def plain_file(run):
    return run.files / "fp8" / "image.onnx" if run.files else run.onnx("fp8", "image")


def variant(run, name, changes):
    model = onnx.load(plain_file(run))
    count = sum(divide(model, pattern, divisor) for pattern, divisor in changes)
    path = run.scratch / f"image_{re.sub('[^a-z0-9]', '_', name.lower())}.onnx"
    onnx.save(model, path)
    return path, count


if __name__ == "__main__":
    with running(__doc__) as run:
        plain = plain_file(run)
        pictures = vit_l_14.inputs("image", np.random.default_rng(1)) if run.files else run.inputs("image", 64)
        times = len({n.name for n in onnx.load(plain, load_external_data=False).graph.node if re.fullmatch(SITES["softmax"][0], n.name)}) // 8
        plain_ort = ort_run(plain, pictures)
        run.at_least("unchanged file: octet to onnxruntime", cosines(run.infer(plain, pictures), plain_ort).mean(), 0.998)
        # Random weights spread a softmax over all 257 keys: its weights lie 16 times lower.
        divisors = {kind: 256 if run.files and kind == "softmax" else 16 for kind in SITES}
        cases = [(f"{kind} / {divisors[kind]}", [(pattern, divisors[kind])], count) for kind, (pattern, count) in SITES.items()]
        cases.append(("all sites / 4", [(pattern, 4) for pattern, _ in SITES.values()], sum(count for _, count in SITES.values())))
        for name, changes, sites in cases:
            path, count = variant(run, name, changes)
            run.equal(f"{name}: quantizers changed", count, sites * times)
            expected = ort_run(path, pictures)
            c = cosines(run.infer(path, pictures), expected)
            run.at_least(f"{name}: octet to onnxruntime on the same file (lowest {c.min():.4f})", c.mean(), 0.998)
            left_out = cosines(expected, plain_ort).mean()  # what an engine without these sites could reach
            if run.files is None:
                run.at_most(f"{name}: onnxruntime, changed file to plain file", left_out, 0.95)
                continue
            run.check(c.mean() > left_out, f"{name}: nearer than the plain file's {left_out:.6f}")
            np.save(run.scratch / "input.npy", pictures[:1])
            done = run.octet("compare", path, "--teacher-forced", "--rows", 8, "--json", "--quiet", "--input", f"pixel_values={run.scratch}/input.npy", code=None)
            (forced,) = load_json(done.stdout)["forced"]
            run.equal(f"{name}: values of {len(forced['steps'])} steps beyond their bound", sum(s["unexplained"] for s in forced["steps"]), 0)
