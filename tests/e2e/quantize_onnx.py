#!/usr/bin/env python3
"""octet quantize on ONNX files: octet's own f32 export gets the ranges, codes and results of the checkpoint road; f16 files, the other
recipe and methods; what is written passes onnx.checker, octet check, onnxruntime and TensorRT for RTX; what is refused."""
import shutil

import numpy as np
import onnx
from common import BOUND, DATA, MODEL, TOWERS, cosines, load_json, ort_run, preprocessed, reference, running, tokenized
from exports_accepted import fp8_tensors, tensorrt
from safetensors.numpy import load_file, save_file

INPUT = {"image": "pixel_values", "text": "input_ids"}


def stem(name):
    """What the two roads call a tensor, without their endings."""
    for end in (".scale", ".weight_quantizer.codes", ".input_quantizer"):
        name = name.removesuffix(end)
    return name


def kinds(run, onnx_file):
    return [(kind, problem) for _, kind, _, problem, _ in run.steps(f"--onnx={onnx_file}")]


with running(__doc__) as run:
    calibration = {"image": preprocessed(run.tools / "preprocess", DATA / "calib.tar", MODEL)[0],
                   "text": tokenized(run.tools / "tokenize", DATA / "calib_texts.txt", MODEL)}
    for tower, array in calibration.items():
        np.save(run.scratch / f"{tower}.npy", array)

    def quantize(model, out, tower, *flags):
        return load_json(run.octet("quantize", model, "--calib-input", f"{INPUT[tower]}={run.scratch}/{tower}.npy", "-o", out, "--json", *flags).stdout)

    # The checkpoint road, from the shipped model without its FP8 state, in f32: an f16 checkpoint rounds its ranges to f16.
    plain, shipped = run.scratch / "plain", load_file(MODEL / "model.safetensors")
    shutil.copytree(MODEL, plain, ignore=shutil.ignore_patterns("modelopt_state.pth", "*.npz", "model.safetensors"))
    save_file({n: t.astype(np.float32) for n, t in shipped.items() if not n.endswith("._amax")}, plain / "model.safetensors", {"format": "pt"})
    told = load_json(run.octet("quantize", plain, "--calib-images", DATA / "calib.tar", "--calib-texts", DATA / "calib_texts.txt", "-o", run.scratch / "ckpt", "--json").stdout)
    ranges = {q["name"]: q["amax"] for q in told["quantizers"]}
    run.octet("export", run.scratch / "ckpt", "-o", run.scratch / "ckpt-onnx", "--quiet")

    written, truth = [], reference()
    for tower in TOWERS:
        f32, f16 = run.scratch / f"{tower}-f32.onnx", run.scratch / f"{tower}-f16.onnx"
        told = quantize(run.onnx("fp32", tower), f32, tower)
        quantize(run.onnx("fp32", tower), f16, tower, "--precision", "fp16")
        # One input serves q, k and v, and an attention's output is out_proj's input: the file has one quantizer for each.
        run.check(all(ranges[q["name"]] == q["amax"] for q in told["quantizers"]), f"{tower}: {len(told['quantizers'])} ranges are the checkpoint road's")
        wanted = run.scratch / "ckpt-onnx" / f"{tower}.onnx"
        mine, theirs = fp8_tensors(f16), fp8_tensors(wanted)
        codes = {stem(n): b for n, b in theirs.items() if len(b) > 64}
        same = [b == codes[stem(n).removesuffix(".weight")+".weight"] for n, b in mine.items() if n.endswith("_quantizer.codes")]
        run.check(all(same) and len(same) == len([n for n in codes if n.endswith(".weight")]), f"{tower}: {len(same)} weights have the checkpoint road's codes")
        run.equal(f"{tower}: the steps of the checkpoint road", kinds(run, f16), kinds(run, wanted))
        given = run.inputs(tower, 64)
        a, b = run.infer(f16, given, name=INPUT[tower]), run.infer(wanted, given, name=INPUT[tower])
        run.equal(f"{tower}: f16 around FP8, the embeddings of the checkpoint road", a, b)
        c = run.infer(f32, given, name=INPUT[tower])
        run.at_least(f"{tower}: f32 around FP8, mean cosine to fp32", cosines(c, truth[f"{tower}_embeds"][:64]).mean(), BOUND["fp8"])
        run.at_least(f"{tower}: mean cosine to onnxruntime on the same file", cosines(c, ort_run(f32, given)).mean(), BOUND["fp8"])
        written += [f32, f16]

    # An f16 file as it is, linears alone, a range for each output, the other methods, another opset.
    few = run.scratch / "few.onnx"
    for method in ("percentile", "mse"):
        told = quantize(run.onnx("fp16", "image"), few, "image", "--recipe", "fp8-linear", "--method", method, "--per-channel", "--opset", "23")
        run.check(not any("_bmm_" in q["name"] for q in told["quantizers"]), f"{method}, fp8-linear: no attention quantizers")
        weights = [q["ranges"] for q in told["quantizers"] if q["kind"] == "weight"]
        run.equal(f"{method}: a range for each output", sorted(set(weights)), [256, 1024])
        run.at_least(f"{method}: mean cosine to fp32", cosines(run.infer(few, run.inputs("image", 64), name=INPUT["image"]), truth["image_embeds"][:64]).mean(), BOUND["fp8"])
    run.equal("opset", [o.version for o in onnx.load(few).opset_import], [23])
    written.append(few)
    for path in written:
        onnx.checker.check_model(str(path), full_check=True)
        run.equal(f"{path.name}: octet check's violations", load_json(run.octet("check", path, "--json").stdout)["violations"], [])
    for path, verdict in tensorrt(written).items():
        run.check(verdict["engine_bytes"] is not None, f"{path[-20:]}: TensorRT for RTX builds {verdict['engine_bytes']} bytes {verdict['errors'][:1] or ''}")

    model, data = run.onnx("fp32", "image"), f"pixel_values={run.scratch}/image.npy"
    run.octet("quantize", model, "-o", few, code=2)  # no calibration data
    run.octet("quantize", model, "-o", few, "--calib-input", data, "--calib-input", f"extra={run.scratch}/image.npy", code=2)
    run.octet("quantize", model, "-o", few, "--calib-input", f"pixel_values={run.scratch}/text.npy", code=2)
    run.octet("quantize", model, "-o", few, "--calib-input", data, "--calib-images", DATA / "calib.tar", code=2)
    run.octet("quantize", plain, "-o", run.scratch / "x", "--calib-input", data, code=2)
    run.octet("quantize", run.onnx("fp8", "image"), "-o", few, "--calib-input", data, code=3)
    bad = np.load(run.scratch / "image.npy")[:2]
    bad[1, 0, 0, 0] = np.nan
    np.save(run.scratch / "nan.npy", bad)
    run.octet("quantize", model, "-o", few, "--calib-input", f"pixel_values={run.scratch}/nan.npy", code=3)
    run.check(True, "refused: missing, extra and misshapen inputs, flags of the other road, a file in FP8, values that are not finite")
