#!/usr/bin/env python3
"""Raw ModelOpt files: `octet check` names every mismatch of f32 and f16, `octet fix-types` mends the file, and the mended file passes
octet check, onnx.checker, onnxruntime and TensorRT for RTX, builds the step list of the clean file, and gives its embeddings."""
import numpy as np
import onnx
from common import TOWERS, cosines, load_json, ort_run, running
from exports_accepted import tensorrt
from raw_modelopt import raw

NAMES = {"text": ("input_ids", "text_embeds", 4), "image": ("pixel_values", "image_embeds", 8)}  # and layers
COUNT = 16


def mend(run, tower, custom):
    """The mended file of one raw file, checked on the way."""
    what = f"{tower}, {'custom operators' if custom else 'domain trt'}"
    source, fixed = run.scratch / f"{tower}_{custom}_raw.onnx", run.scratch / f"{tower}_{custom}_fixed.onnx"
    raw(run.onnx("fp8", tower), source, tower, as_custom_ops=custom)
    given, output, layers = NAMES[tower]
    found = load_json(run.octet("check", source, "--json", code=3).stdout)["violations"]
    # Per layer: the softmax's Q and the attention output's Q; in the text tower the mask's Add too.
    run.equal(f"{what}: mismatches found", len(found), layers * (3 if tower == "text" else 2))
    run.check(all(v["mixes_floats"] and v["fix"] and {"f16", "f32"} <= {o["type"] for o in v["operands"]} and all(o["producer"] for o in v["operands"]) for v in found),
              f"{what}: each names both types, their producers and the remedy")
    told = load_json(run.octet("fix-types", source, "-o", fixed, "--rename", f"x={given}", "--json").stdout)
    run.equal(f"{what}: violations left", told["violations"], [])
    run.check(any("to f32 -> to f16" in c for c in told["changes"]) and not any("island/" in c for c in told["changes"]),
              f"{what}: {len(told['changes'])} changes listed, the island that agrees is none of them")
    run.check(bool(told["notes"]) and "left alone" in told["notes"][0], f"{what}: {told['notes']}")
    model = onnx.load(fixed)
    onnx.checker.check_model(str(fixed), full_check=True)
    run.equal(f"{what}: domains, input, output", ({n.domain for n in model.graph.node}, model.graph.input[0].name, model.graph.output[0].name), ({""}, given, output))
    run.octet("check", fixed)
    return source, fixed


def judge(run, tower, fixed):
    clean, inputs = run.onnx("fp8", tower), run.inputs(tower, COUNT)
    run.at_least(f"{fixed.name}: onnxruntime, cosine to the clean file", cosines(ort_run(fixed, inputs), ort_run(clean, inputs)).min(), 0.9999)
    run.equal(f"{fixed.name}: octet's embeddings are those of the clean file", run.infer(fixed, inputs, name=NAMES[tower][0]), run.infer(clean, inputs))
    kinds = [[s[1] for s in run.steps(f"--onnx={path}")] for path in (fixed, clean)]
    run.equal(f"{fixed.name}: steps", kinds[0], kinds[1])


def rebatch(run, tower, batch, flat=False):
    """A raw file of one batch size, made dynamic: batches of 1, 3 and 128 give the rows of batch-1 runs."""
    name = f"{tower}_baked_{batch}{'_flat' if flat else ''}"
    source, fixed = run.scratch / f"{name}_raw.onnx", run.scratch / f"{name}.onnx"
    raw(run.onnx("fp8", tower), source, tower, batch=batch, flat=flat)
    given = NAMES[tower][0]
    run.octet("fix-types", source, "-o", fixed, "--dynamic-batch", "--rename", f"x={given}")
    onnx.checker.check_model(str(fixed), full_check=True)
    run.octet("check", fixed)
    inputs = run.inputs(tower, 128)
    single = ort_run(fixed, inputs, batch=1)
    run.at_least(f"{name}: onnxruntime one by one, cosine to the clean file", cosines(single, ort_run(run.onnx("fp8", tower), inputs, batch=1)).min(), 0.9999)
    for size in (3, 128):
        run.at_least(f"{name}: onnxruntime at batch {size}, cosine to batch 1", cosines(ort_run(fixed, inputs[:size], batch=size), single[:size]).min(), 0.9999)
    for size in (1, 3, 128):
        run.equal(f"{name}: octet at batch {size}", run.infer(fixed, inputs[:size], name=given), run.infer(run.onnx("fp8", tower), inputs)[:size])
    return fixed


if __name__ == "__main__":
    with running(__doc__) as run:
        mended = [(tower, *mend(run, tower, custom)) for tower in TOWERS for custom in (False, True)]
        for tower, source, fixed in mended:
            judge(run, tower, fixed)
        rebatched = [rebatch(run, "text", 1), rebatch(run, "text", 1, flat=True), rebatch(run, "text", 2, flat=True), rebatch(run, "image", 1), rebatch(run, "image", 4)]
        for path, verdict in tensorrt([fixed for _, _, fixed in mended] + rebatched).items():
            run.check(verdict["engine_bytes"] is not None, f"TensorRT for RTX builds {path.rsplit('/', 1)[-1]}: {verdict['engine_bytes']} bytes {verdict['errors'][:1] or ''}")
        source = mended[0][1]
        run.octet("exec", f"--onnx={source}", "--skipInference", "--no-self-check", code=3)
        out = run.octet("exec", f"--onnx={source}", "--fixTypes", "--skipInference", "--no-self-check").stdout
        run.check("fixTypes: " in out, "exec --fixTypes builds the raw file and lists the changes")
        done = load_json(run.octet("fix-types", run.onnx("fp8", "text"), "-o", run.scratch / "same.onnx", "--json").stdout)
        run.equal("the clean file: changes", done["changes"], [])
        run.octet("fix-types", source, "-o", run.scratch / "no.onnx", "--rename", "nothing=here", code=2)
