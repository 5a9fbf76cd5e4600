#!/usr/bin/env python3
"""What torch.onnx writes for CLIP, BERT and ViT (tests/tools/torch_fixtures.py made the files): TorchScript's and dynamo's graphs, f32 and
f16, eager and SDPA attention, opset 13 to 25. Each compiles to the steps that octet's own exports have, and agrees with onnxruntime.
TorchScript's f16 SDPA with a mask goes on in f32 behind the first attention, from opset 17 on in files that nothing loads: those are
refused with a way out, `fix-types --precision fp16`, and judged behind it.
--files DIR judges that folder instead (true widths)."""
import tarfile
from collections import Counter

import numpy as np
import onnx
from common import BOUND, ROOT, cosines, load_json, running, session
from fp8_is_real import divide

LAYER = ["norm", "gemm", "attention", "gemm", "norm", "gemm", "gemm"]
POST_NORM = ["gemm", "attention", "gemm", "norm", "gemm", "gemm", "norm"]
STEPS = {  # before the layers, a layer, after them
    "clip_text": (["embed"], LAYER, ["pool", "norm", "gemm"]),
    "clip_image": (["patch_embed", "norm"], LAYER, ["pool", "norm", "gemm"]),
    "bert": (["embed", "norm"], POST_NORM, []),
    "vit": (["patch_embed"], LAYER, ["norm"]),
}
LAYERS, ITEMS = 2, 3


def inputs_of(model, rng):
    """Random values for every input; words end in one end of text, masks hide padding and one key more."""
    dims = {i.name: [ITEMS] + [d.dim_value for d in i.type.tensor_type.shape.dim][1:] for i in model.graph.input}
    kind = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    given = {}
    for name, shape in dims.items():
        if name == "pixel_values":
            given[name] = rng.standard_normal(shape).astype(np.float16 if kind[name] == onnx.TensorProto.FLOAT16 else np.float32)
        elif name == "attention_mask":
            given[name] = (np.arange(shape[1]) < rng.integers(3, shape[1] + 1, (ITEMS, 1))).astype(np.int64)
            given[name][0, 1] = 0
        elif name == "token_type_ids":
            given[name] = rng.integers(0, 2, shape)
        else:
            words = min(t.dims[0] for t in model.graph.initializer if len(t.dims) == 2 and t.dims[0] > 2 * shape[1])
            given[name] = rng.integers(1, words - 2, shape)
            if "attention_mask" not in dims:
                for row, end in zip(given[name], rng.integers(2, shape[1], ITEMS)):
                    row[end:] = words - 1
    return given


def many(model, rng, draws):
    """The values of several draws behind each other."""
    drawn = [inputs_of(model, rng) for _ in range(draws)]
    return {name: np.concatenate([one[name] for one in drawn]) for name in drawn[0]}


def outputs(run, path, given):
    flags = []
    for name, array in given.items():
        np.save(run.scratch / f"{name}.npy", array)
        flags += ["--input", f"{name}={run.scratch}/{name}.npy"]
    run.octet("run", path, *flags, "--output-dir", run.scratch / "out", "--quiet")
    return np.load(run.scratch / "out" / "output.npy").astype(np.float32)


def mended(run, path):
    """A file of two float types in one."""
    refused = run.octet("exec", f"--onnx={path}", "--skipInference", code=None)
    run.check(refused.returncode in (3, 4) and ("fix-types" in refused.stderr or "must have one type" in refused.stderr), f"{path.stem}: refused, exit {refused.returncode}")
    fixed = run.scratch / path.name
    run.octet("fix-types", path, "-o", fixed, "--precision", "fp16")
    run.equal(f"{path.stem}: violations behind fix-types", load_json(run.octet("check", fixed, "--json").stdout)["violations"], [])
    return fixed


def judge(run, path, rng):
    name, exporter, precision, attention, _ = path.stem.split("-")
    if (exporter, precision, attention) == ("script", "f16", "sdpa") and name != "clip_image":
        path = mended(run, path)
    before, layer, after = STEPS[name]
    steps = run.steps(f"--onnx={path}")
    run.equal(f"{path.stem}: steps", [s[1] for s in steps], before + layer * LAYERS + after)
    run.equal(f"{path.stem}: types", {s[4] for s in steps}, {precision})
    given = inputs_of(onnx.load(path, load_external_data=False), rng)
    mine, truth = outputs(run, path, given), session(path).run(None, given)[0].astype(np.float32)
    seen = given["attention_mask"] > 0 if "attention_mask" in given else ...
    run.at_least(f"{path.stem}: least cosine of a row to onnxruntime", cosines(mine, truth)[seen].min(), BOUND["fp32" if precision == "f32" else "fp16"])


def forced(run, path, given, label):
    """Codes of every step beside the exact reference's."""
    flags = [f for name, array in given.items() for f in ("--input", f"{name}={run.scratch}/{name}.npy")]
    for name, array in given.items():
        np.save(run.scratch / f"{name}.npy", array)
    (told,) = load_json(run.octet("compare", path, "--teacher-forced", "--json", "--quiet", *flags, code=None).stdout)["forced"]
    run.equal(f"{label}: values of {len(told['steps'])} steps beyond their bound", sum(s["unexplained"] for s in told["steps"]), 0)


def in_fp8(run, path, rng):
    """`octet quantize` of such a file: FP8 products and attention; then scales so small that each site clips, which cannot be left out.
    octet may be as far from onnxruntime as the FP8 bound, or twice as far as onnxruntime is from itself without its optimizations, which is
    the same file with sums in another order: on random weights a code that falls to the other side moves a row by up to 0.004."""
    model = onnx.load(path)
    few, given, flags = inputs_of(model, rng), many(model, rng, 4), []
    for name, array in many(model, rng, 8).items():
        np.save(run.scratch / f"calib_{name}.npy", array)
        flags += ["--calib-input", f"{name}={run.scratch}/calib_{name}.npy"]
    out = run.scratch / f"{path.stem}-fp8.onnx"
    run.octet("quantize", path, *flags, "-o", out, "--quiet")
    products = [s[3].split(":")[1] for s in run.steps(f"--onnx={out}") if s[1] in ("gemm", "attention")]
    run.check(len(products) >= 5 * LAYERS and all(p.startswith("e4m3") for p in products), f"{path.stem} in FP8: {len(products)} products and attentions")
    clipped = onnx.load(out)
    run.check(divide(clipped, ".*", 16) >= 8 * LAYERS, f"{path.stem} in FP8: every scale / 16")
    onnx.save(clipped, run.scratch / "clipped.onnx")
    seen = given["attention_mask"] > 0 if "attention_mask" in given else ...
    truths, distance = [], 0
    for file, label in ((out, "FP8"), (run.scratch / "clipped.onnx", "FP8 clipped")):
        forced(run, file, few, f"{path.stem}, {label}")
        truths.append(session(file).run(None, given)[0].astype(np.float32))
        distance = 1 - cosines(outputs(run, file, given), truths[-1])[seen].mean()
        reordered = session(file, optimized=False).run(None, given)[0].astype(np.float32)
        own = 1 - cosines(reordered, truths[-1])[seen].mean()
        run.at_most(f"{path.stem}, {label}: 1 - mean cosine to onnxruntime on the same file (its own to itself {own:.6f})", distance, max(1 - BOUND["fp8"], 2 * own))
    left_out = 1 - cosines(*truths)[seen].mean()  # how far an engine without the quantizers would be; random weights give no more
    run.check(distance < left_out / 10, f"{path.stem}: a tenth of what leaving the quantizers out costs, {left_out:.4f}")


if __name__ == "__main__":
    with running(__doc__) as run:
        folder = run.files
        if folder is None:
            folder = run.scratch / "files"
            with tarfile.open(ROOT / "tests" / "fixtures" / "torch_onnx.tar.xz") as tar:
                tar.extractall(folder)
        seed = int(np.random.SeedSequence().entropy % 2**32)
        print(f"seed {seed}")
        files = sorted(folder.glob("*.onnx"))
        for path in files:
            judge(run, path, np.random.default_rng(seed))
        for path in [f for f in files if f.stem.split("-", 1)[1] in ("dynamo-f32-sdpa-24", "script-f32-eager-17")]:
            in_fp8(run, path, np.random.default_rng(seed))
        if run.files is None:
            ways = Counter(tuple(f.stem.split("-")[:2]) for f in files)
            run.equal("models and exporters", set(ways), {(m, e) for m in STEPS for e in ("script", "dynamo")})
            run.check(min(ways.values()) >= 12, f"files of each: {sorted(ways.values())}")
