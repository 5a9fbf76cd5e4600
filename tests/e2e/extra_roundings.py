#!/usr/bin/env python3
"""Q/DQ that no product reads: on the pixels, on a product's output before its bias, on attention scores, twice at two scales. Each rounds,
and each is done: as a step of its own, whose reason `exec --explain` gives, with onnxruntime's results and the exact reference's codes. An
attention that is half quantized is refused, naming what has Q/DQ and what lacks it."""
import itertools

import numpy as np
import onnx
from common import BOUND, TOWERS, cosines, load_json, ort_run, running
from ml_dtypes import float8_e4m3fn
from onnx import helper
from qdq_placements import Editor, heads, pairs


def tensors(path, names, given):
    """onnxruntime's values of inner tensors."""
    model = onnx.load(path)
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    s = session_of(model)
    (given_to,) = s.get_inputs()
    kind = {"tensor(float16)": np.float16, "tensor(int64)": np.int64}[given_to.type]
    return dict(zip(names, s.run(names, {given_to.name: given.astype(kind)})))


def session_of(model):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def pair_at(e, values, of, clipped=1.0):
    """A pair on each tensor of `values`, at the greatest value that `of` gives for it over 448, or so much of it."""
    zero = e.add_constant(np.zeros((), float8_e4m3fn), "extra.zero")
    for value in values:
        scale = e.add_constant(np.float16(np.abs(of[value].astype(np.float32)).max() * clipped / 448), f"{value}.extra.scale")
        readers = e.readers(value)
        q = e.add("QuantizeLinear", [value, scale, zero])
        e.replace(value, e.add("DequantizeLinear", [q, scale, zero]), readers)


def products(e, *endings):
    return [n.output[0] for n in e.graph.node if n.op_type == "MatMul" and n.name.endswith(endings)]


def scores(e):
    return [e.readers(dq.output[0])[0].output[0] for part, _, _, _, dq in heads(e) if part == "q"]


def patch_by_channel(e):
    conv = next(n for n in e.graph.node if n.op_type == "Conv")
    w = e.constant(conv.input[1]).astype(np.float32)
    scale = (np.abs(w).max((1, 2, 3)) / 448).astype(np.float16)
    codes = np.clip(w / scale.astype(np.float32)[:, None, None, None], -448, 448).astype(float8_e4m3fn)
    names = [e.add_constant(a, f"patch.{i}") for i, a in enumerate((codes, scale, np.zeros(len(scale), float8_e4m3fn)))]
    conv.input[1] = e.add("DequantizeLinear", names, axis=0)


def output_twice(e, of):
    """Another pair behind that of the attention's output, at three quarters of its scale."""
    for q, (dq,) in pairs(e, "self_attn.output.q"):
        scale = e.add_constant((e.constant(q.input[1]).astype(np.float32) * 0.75).astype(np.float16), q.name + ".second")
        readers = e.readers(dq.output[0])
        again = e.add("QuantizeLinear", [dq.output[0], scale, q.input[2]])
        e.replace(dq.output[0], e.add("DequantizeLinear", [again, scale, q.input[2]]), readers)


# name -> (towers, tensors whose values it needs, the change, kinds of steps that must appear, what a note says)
LINEARS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "projection")
CASES = {
    "pixels": (("image",), lambda e: ["pixel_values"], lambda e, of: pair_at(e, ["pixel_values"], of), {"fake_quantize"}, "the pixels are quantized"),
    "pixels and a patch weight by channel": (("image",), lambda e: ["pixel_values"], lambda e, of: (pair_at(e, ["pixel_values"], of), patch_by_channel(e)), {"fake_quantize"},
                                             "a scale a channel"),
    "outputs of all linears": (TOWERS, lambda e: products(e, *LINEARS), lambda e, of: pair_at(e, products(e, *LINEARS), of), {"pointwise"}, "OpTypesToExcludeOutputQuantization"),
    "outputs of all linears, clipped": (TOWERS, lambda e: products(e, *LINEARS), lambda e, of: pair_at(e, products(e, *LINEARS), of, 1 / 4), {"pointwise"},
                                        "OpTypesToExcludeOutputQuantization"),
    "scores": (TOWERS, scores, lambda e, of: pair_at(e, scores(e), of), {"scores", "fake_quantize", "softmax", "values"}, "its scores are rounded to E4M3"),
    "outputs of attention, twice": (TOWERS, lambda e: [], output_twice, {"pointwise"}, "at two scales"),
}


def judge(run, tower, name):
    _, needs, change, kinds, said = CASES[name]
    clean, given = run.onnx("fp8", tower), run.inputs(tower, 16)
    e = Editor(clean)
    wanted = needs(e)
    change(e, {w: given.astype(np.float16) if w == "pixel_values" else v for w, v in {**dict.fromkeys(wanted), **tensors(clean, [w for w in wanted if w != "pixel_values"], given)}.items()})
    path, label = e.save(run.scratch / f"{tower}_{''.join(c if c.isalnum() else '_' for c in name)}.onnx"), f"{tower}, {name}"
    run.equal(f"{label}: octet check's violations", load_json(run.octet("check", path, "--json").stdout)["violations"], [])
    explained = run.octet("exec", f"--onnx={path}", "--skipInference", "--no-self-check", "--explain").stdout
    steps = run.steps(f"--onnx={path}")
    run.check(kinds <= {s[1] for s in steps}, f"{label}: {len(steps)} steps, among them {', '.join(sorted(kinds))}")
    run.check(said in explained, f"{label}: --explain says `{said}`")
    run.check(all(s[3].split(":")[1].startswith("e4m3") for s in steps if s[1] == "gemm"), f"{label}: every product multiplies e4m3")
    mine, truth = run.infer(path, given), ort_run(path, given)
    run.at_least(f"{label}: mean cosine to onnxruntime on the same file", cosines(mine, truth).mean(), BOUND["fp8"])
    print(f"      {label}: {cosines(truth, ort_run(clean, given)).mean():.5f} would be that of an engine without the pairs")
    np.save(run.scratch / "input.npy", given[:2])
    flags = ["--input", f"{'pixel_values' if tower == 'image' else 'input_ids'}={run.scratch}/input.npy"]
    (forced,) = load_json(run.octet("compare", path, "--teacher-forced", "--json", "--quiet", *flags, code=None).stdout)["forced"]
    run.equal(f"{label}: values of {len(forced['steps'])} steps beyond their bound", sum(s["unexplained"] for s in forced["steps"]), 0)


def half_quantized(run, tower, without):
    e = Editor(run.onnx("fp8", tower))
    softmax = next(n for n in e.graph.node if n.op_type == "Softmax").name
    for part, _, _, q, dq in list(heads(e)):
        if part in without and ".layers.0." in q.name:
            e.replace(dq.output[0], q.input[0])
            e.drop(q, dq)
    said = run.octet("exec", f"--onnx={e.save(run.scratch / 'half.onnx')}", "--skipInference", code=4).stderr
    label = f"{tower}, {' and '.join(without)} without Q/DQ"
    _, named, line = said.partition(f"`{softmax}` (Softmax): attention not fused: it is half quantized: ")
    run.check(bool(named), f"{label}: refused, exit 4, naming {softmax}")
    has, lacks = (line.partition(" with Q/DQ, ")[i] for i in (0, 2))
    for part in "qkv":
        run.check(f"{part} (`" in (lacks if part in without else has), f"{label}: {part} is said to {'lack them' if part in without else 'have them'}, with its tensor")
    run.check("Quantize q, k and v, or none of them" in line, f"{label}: with the remedy")


if __name__ == "__main__":
    with running(__doc__) as run:
        for name, (towers, *_) in CASES.items():
            for tower in towers:
                judge(run, tower, name)
        for without in [c for n in (1, 2) for c in itertools.combinations("qkv", n)]:
            half_quantized(run, "image" if len(without) == 1 else "text", without)
