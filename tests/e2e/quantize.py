#!/usr/bin/env python3
"""octet quantize on the shipped model without its FP8 state: ranges beside those that ModelOpt chose on the same pictures and texts,
embeddings beside fp32, top-1 beside the shipped state's; the other methods; what is refused."""
import shutil
import tarfile

import numpy as np
from common import DATA, MODEL, TOWERS, best_classes, cosines, load_json, reference, running
from safetensors.numpy import load_file, save_file

CALIBRATION = ["--calib-images", DATA / "calib.tar", "--calib-texts", DATA / "calib_texts.txt"]


def embeddings(run, checkpoint, *flags):
    run.octet("export", checkpoint, "--quiet", "-o", f"{checkpoint}-onnx", *flags)
    return {tower: run.infer(f"{checkpoint}-onnx/{tower}.onnx", run.inputs(tower)) for tower in TOWERS}


def ratios(tensors, shipped, part):
    return np.array([tensors[n].max() / shipped[n].max() for n in shipped if n.endswith("._amax") and part(n)], np.float64)


with running(__doc__) as run:
    shipped, truth = load_file(MODEL / "model.safetensors"), reference()
    plain = run.scratch / "plain"
    shutil.copytree(MODEL, plain, ignore=shutil.ignore_patterns("modelopt_state.pth", "*.npz", "model.safetensors"))
    save_file({n: t for n, t in shipped.items() if not n.endswith("._amax")}, plain / "model.safetensors", {"format": "pt"})

    out = run.scratch / "max"
    told_max = load_json(run.octet("quantize", plain, *CALIBRATION, "-o", out, "--json").stdout)
    tensors = load_file(out / "model.safetensors")
    run.equal("names of the tensors", set(tensors), set(shipped))
    run.check(all(tensors[n].dtype == t.dtype and tensors[n].shape == t.shape for n, t in shipped.items()), "types and shapes as shipped")
    run.equal("pictures and texts", (told_max["pictures"], told_max["texts"], len(told_max["quantizers"])), (512, 256, 196))
    worst = {"image tower": lambda n: "vision" in n or "visual" in n, "weights": lambda n: ".weight_quantizer" in n}
    for name, part in worst.items():
        r = ratios(tensors, shipped, part)
        run.at_most(f"{name}: largest relative distance of {len(r)} ranges to ModelOpt's", np.abs(r - 1).max(), 0.002)
    # ModelOpt observed the padding too, which nothing reads: its ranges can only be wider, but for the rounding of f16 runs.
    r = ratios(tensors, shipped, lambda n: "text" in n and ".weight_q" not in n)
    run.check(0.95 < r.min() and r.max() < 1.002, f"text activations: ranges {r.min():.4f} to {r.max():.4f} of ModelOpt's")

    mine, theirs = embeddings(run, out), {tower: run.infer(run.plan("fp8", tower), run.inputs(tower)) for tower in TOWERS}
    top1 = {name: (best_classes(e["image"], e["text"]) == truth["labels"]).mean() for name, e in (("mine", mine), ("theirs", theirs))}
    for tower in TOWERS:
        run.at_least(f"max, {tower}: mean cosine to fp32", cosines(mine[tower], truth[f"{tower}_embeds"]).mean(), 0.998)
    run.at_most(f"top-1 {100 * top1['mine']:.1f} % and {100 * top1['theirs']:.1f} % with the shipped state: points apart", 100 * abs(top1["mine"] - top1["theirs"]), 0.5)
    told = load_json(run.octet("eval", out, "--images", DATA / "eval.tar", "--classes", DATA / "classes.txt", "--prompts", DATA / "prompts.txt", "--json").stdout)
    run.check(abs(told["top1"] - top1["mine"]) <= 0.0011, f"octet eval of the checkpoint says top-1 {told['top1']}")

    again = run.scratch / "again"
    run.octet("quantize", MODEL, *CALIBRATION, "-o", again, "--quiet")
    for name in ("model.safetensors", "modelopt_state.pth"):
        run.check((again / name).read_bytes() == (out / name).read_bytes(), f"from the quantized checkpoint: the same {name}")

    best = run.scratch / "mse"
    told_mse = load_json(run.octet("quantize", plain, *CALIBRATION, "-o", best, "--method", "mse", "--per-channel", "--json").stdout)
    gain = {kind: np.mean([b["sqnr_db"] - a["sqnr_db"] for a, b in zip(told_max["quantizers"], told_mse["quantizers"], strict=True) if a["kind"] == kind])
            for kind in ("weight", "activation")}
    run.check(min(gain.values()) > 0, f"mse per channel: SQNR gains {gain['weight']:.2f} dB on weights, {gain['activation']:.2f} dB on activations")
    run.equal("a range for each output", load_file(best / "model.safetensors")["visual_projection.weight_quantizer._amax"].shape, (256, 1))
    for tower, rows in embeddings(run, best).items():
        run.at_least(f"mse per channel, {tower}: mean cosine to fp32", cosines(rows, truth[f"{tower}_embeds"]).mean(), 0.998)

    # A directory of pictures, few texts, linears only; the range is a percentile: some values are clipped.
    with tarfile.open(DATA / "calib.tar") as tar:
        for member in [m for m in tar.getmembers() if m.name.endswith(".jpg")][:48]:
            (run.scratch / "pictures").mkdir(exist_ok=True)
            (run.scratch / "pictures" / member.name.replace("/", "-")).write_bytes(tar.extractfile(member).read())
    (run.scratch / "texts.txt").write_text("\n".join((DATA / "calib_texts.txt").read_text().splitlines()[:20]))
    few = ["--calib-images", run.scratch / "pictures", "--calib-texts", run.scratch / "texts.txt"]
    told = load_json(run.octet("quantize", plain, *few, "-o", run.scratch / "linear", "--recipe", "fp8-linear", "--method", "percentile", "--json").stdout)
    run.equal("a directory of pictures", (told["pictures"], told["texts"]), (48, 20))
    run.check(not any("_bmm_" in q["name"] for q in told["quantizers"]), "fp8-linear: no attention quantizers")
    clipped = [q["clipped_percent"] for q in told["quantizers"] if q["kind"] == "activation"]
    run.check(max(clipped) > 0 and max(clipped) <= 0.011, f"percentile: at most {max(clipped):.4f} % of an activation is clipped")
    run.octet("export", run.scratch / "linear", "--quiet", "-o", run.scratch / "linear-onnx")

    run.octet("quantize", plain, *CALIBRATION, "-o", plain, code=2)
    run.octet("quantize", plain, "--calib-images", run.scratch / "none.tar", "--calib-texts", DATA / "calib_texts.txt", "-o", out, code=5)
    (run.scratch / "empty.txt").write_text("\n")
    run.octet("quantize", plain, "--calib-images", DATA / "calib.tar", "--calib-texts", run.scratch / "empty.txt", "-o", out, code=3)
    run.octet("quantize", plain, "--calib-images", run.scratch / "max", "--calib-texts", DATA / "calib_texts.txt", "-o", out, code=3)
    run.check(True, "refused: the checkpoint's own directory, missing and empty calibration data")
