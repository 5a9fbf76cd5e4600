#!/usr/bin/env python3
"""`octet convert` to text and back loses nothing, and the text can be edited; `octet extract` cuts what onnxruntime runs."""
import hashlib
import re

import numpy as np
import onnx
import onnxruntime as ort
from common import TOWERS, input_name, running
from onnx import numpy_helper


def attribute(a):
    """An attribute's value, comparable."""
    value = onnx.helper.get_attribute_value(a)
    return numpy_helper.to_array(value).tobytes() if isinstance(value, onnx.TensorProto) else value


def content(path):
    """All that a model says, but for the order of its initializers."""
    model = onnx.load(path)
    nodes = [(n.name, n.op_type, n.domain, list(n.input), list(n.output), sorted((a.name, str(attribute(a))) for a in n.attribute)) for n in model.graph.node]
    tensors = {t.name: (t.data_type, list(t.dims), hashlib.sha256(t.raw_data or t.SerializeToString()).hexdigest()) for t in model.graph.initializer}
    ends = [v.SerializeToString() for v in list(model.graph.input) + list(model.graph.output)]
    return nodes, tensors, ends, {p.key: p.value for p in model.metadata_props}, [(o.domain, o.version) for o in model.opset_import]


def check_round_trip(run, precision, tower):
    model = run.onnx(precision, tower)
    text, back, again = run.scratch / "m.ir", run.scratch / "back.onnx", run.scratch / "again.ir"
    run.octet("convert", model, text)
    run.octet("convert", text, back)
    run.octet("convert", back, again)
    for name, a, b in zip(("nodes", "constants", "inputs and outputs", "metadata", "opsets"), content(model), content(back)):
        run.check(a == b, f"{precision} {tower}: {name} are as before")
    run.check(text.read_text() == again.read_text(), f"{precision} {tower}: the same text again, {text.stat().st_size} bytes")
    run.check(text.stat().st_size < 1 << 20, "weights lie beside the text")


def check_edit(run):
    """A scale changed in the text changes the result."""
    model, text, edited = run.onnx("fp16", "text"), run.scratch / "e.ir", run.scratch / "edited_text.onnx"
    run.octet("convert", model, text)
    lines = text.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "LayerNormalization(" in line and "epsilon=" in line)
    lines[at] = re.sub(r"epsilon=[^,}]*", "epsilon=1000.0", lines[at])
    text.write_text("\n".join(lines) + "\n")
    run.octet("convert", text, edited)
    array = run.inputs("text", 3)
    run.check(not np.array_equal(run.infer(model, array), run.infer(edited, array)), "an edited attribute counts")
    text.write_text(text.read_text().replace("LayerNormalization(", "LayerNormalisation(", 1))
    failed = run.octet("convert", text, edited, code=3)
    run.check("LayerNormalisation" in failed.stderr and "line" in failed.stderr, "a mistake is named with its line")


def ort_run(model, feeds):
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds)))


def check_extract(run, tower):
    """Both halves of a model, one after the other, give what the whole gives."""
    model = run.onnx("fp16", tower)
    graph = onnx.load(model).graph
    cut = next(n for n in reversed(graph.node) if n.op_type == "LayerNormalization").input[0]
    first, second = run.scratch / "first.onnx", run.scratch / "second.onnx"
    run.octet("extract", model, "--to", cut, "-o", first)
    done = run.octet("extract", model, "--from", cut, "-o", second)
    onnx.checker.check_model(onnx.load(first), full_check=True)
    feeds = {input_name(model): run.inputs(tower, 2)}
    middle = ort_run(first, feeds)
    run.equal(f"{tower}: the first half's output", list(middle), [cut])
    inputs = {i.name for i in onnx.load(second).graph.input}
    run.check(cut in inputs, f"{tower}: the second half's inputs {sorted(inputs)}; {done.stderr.strip()}")
    whole, half = ort_run(model, feeds), ort_run(second, {**middle, **{k: v for k, v in feeds.items() if k in inputs}})
    run.check(all(np.allclose(whole[k], half[k], rtol=1e-3, atol=1e-3) for k in whole), f"{tower}: the halves make the whole")
    missing = run.octet("extract", model, "--from", cut + "x", "-o", second, code=2)
    run.check(cut in missing.stderr, "a near name is suggested")


if __name__ == "__main__":
    with running(__doc__) as run:
        for precision, tower in (("fp8", "image"), ("fp16", "text"), ("fp8-opset23", "text")):
            check_round_trip(run, precision, tower)
        check_edit(run)
        for tower in TOWERS:
            check_extract(run, tower)
