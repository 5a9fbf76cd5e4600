#!/usr/bin/env python3
"""What nvidia-modelopt wrote at true CLIP widths, and of the shipped checkpoint, judged as e2e/modelopt_made.py judges tiny files; and the
proofs that FP8 is computed, on ModelOpt's own ONNX.  modelopt_sizes.py --octet BINARY --work DIR FILES
FILES: VERSION/SIZE/CASE folders of modelopt_fixtures.py, and shipped/ with the raw ONNX of models/clip-cifar10-fp8."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import numpy as np
import onnx
from common import MODEL, TOWERS, best_classes, cosines, ort_run, preprocessed, reference, running
from fp8_is_real import divide
from modelopt_judge import INPUT, Files, judge_case, judge_weights, mend

LAYER = r"/vision_model/encoder/layers\.\d+/"
SITES = {  # of the diffusers route: kind -> the quantizers' names, and how many a layer
    "LayerNorm output": (LAYER + r"(self_attn/[qkv]_proj|mlp/fc1)/input_quantizer/TRT_FP8QuantizeLinear", 4),
    "q": (LAYER + r"self_attn/TRT_FP8QuantizeLinear", 1),
    "k": (LAYER + r"self_attn/TRT_FP8QuantizeLinear_1", 1),
    "v": (LAYER + r"self_attn/TRT_FP8QuantizeLinear_3", 1),
    "softmax": (LAYER + r"self_attn/TRT_FP8QuantizeLinear_2", 1),
    "attention output": (LAYER + r"self_attn/(bmm2_output_quantizer|out_proj/input_quantizer)/TRT_FP8QuantizeLinear", 2),
    "fc2 input": (LAYER + r"mlp/fc2/input_quantizer/TRT_FP8QuantizeLinear", 1),
}


def prove(run, plain, sites, given, apart):
    """Scales divided at one kind of site, as in fp8_is_real.py. `apart`: how near an engine that leaves the quantizers out could come to
    onnxruntime, of the 0.998 wanted."""
    plain_ort = ort_run(plain, given)
    cases = [(f"{kind} / 16", [(pattern, 16)], count) for kind, (pattern, count) in sites.items()]
    cases.append(("all sites / 4", [(pattern, 4) for pattern, _ in sites.values()], sum(count for _, count in sites.values())))
    for case, changes, wanted in cases:
        model, path = onnx.load(plain), run.scratch / "clipped_image.onnx"
        run.equal(f"{case}: quantizers changed", sum(divide(model, pattern, divisor) for pattern, divisor in changes), wanted)
        onnx.save(model, path)
        expected = ort_run(path, given)
        c = cosines(run.infer(path, given, name=INPUT["image"]), expected)
        run.at_least(f"{case}: octet to onnxruntime on the same file (lowest {c.min():.4f})", c.mean(), 0.998)
        run.at_most(f"{case}: onnxruntime, changed file to plain file", cosines(expected, plain_ort).mean(), apart)


def sites(layers):
    return {kind: (pattern, count * layers) for kind, (pattern, count) in SITES.items()}


def shipped(run, files, folder):
    """ModelOpt's own ONNX of the shipped checkpoint: all of the above, zero-shot classes beside PyTorch's, and the proofs."""
    out = run.scratch / "shipped"
    for name, flags in (("nearest", []), ("modelopt", ["--rounding", "modelopt"])):
        run.octet("export", MODEL, "-o", out / name, "--quiet", *flags)
    pixels, labels = preprocessed(run.tools / "preprocess", MODEL.parents[1] / "data/cifar10/eval.tar", MODEL)
    given = {"image": pixels.astype(np.float16), "text": reference()["input_ids"]}
    found, theirs = {}, {}
    for tower in TOWERS:
        fixed = mend(run, folder / f"{tower}_raw.onnx", out / f"{tower}_fixed.onnx", tower)
        found[tower] = files.judge(fixed, tower, given[tower])
        theirs[tower] = ort_run(fixed, given[tower])
        run.at_least(f"shipped {tower}: mean cosine to PyTorch fp32", cosines(found[tower], reference()[f"{tower}_embeds"]).mean(), 0.99)
        judge_weights(run, MODEL, folder / f"{tower}_raw.onnx", out / "nearest" / f"{tower}.onnx", out / "modelopt" / f"{tower}.onnx")
    top1 = [100 * (best_classes(e["image"], e["text"]) == labels).mean() for e in (found, theirs)]
    run.at_most(f"shipped: top-1 {top1[0]:.1f} % by octet, {top1[1]:.1f} % by onnxruntime on ModelOpt's files: points apart", abs(top1[0] - top1[1]), 0.5)
    prove(run, out / "image_fixed.onnx", sites(8), given["image"][:64], apart=0.95)


if __name__ == "__main__":
    source = Path(sys.argv.pop())
    with running(__doc__) as run:
        files = Files(run)
        for case in sorted(p.parent for p in source.glob("*/*/*/expected.npz")):
            label = "-".join(case.parts[-3:])
            judge_case(run, files, case, label, batch=2)
            if case.parts[-2:] == ("l14", "attention"):
                given = np.load(case / "expected.npz")["pixels"]
                prove(run, run.scratch / label / "image_fixed.onnx", sites(2), given, apart=0.98)  # two layers of random weights: clipping moves less
        if os.path.isdir(source / "shipped"):
            shipped(run, files, source / "shipped")
        files.finish()
