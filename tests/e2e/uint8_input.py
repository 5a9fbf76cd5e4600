#!/usr/bin/env python3
"""octet export --input uint8: the tower takes the bytes of a picture and gives, to the bit, what the float export gives of the same
pictures; its normalisation is in the patch embedding's step, in onnxruntime it gives the same values; every command takes the bytes."""
import numpy as np
from common import DATA, MODEL, preprocessed, load_json, ort_run, running

LADDER = ["portable", "avx2", "avx512", "avx512bf16", "amx"]
FEW = 8


def check_bits(run, precision, floats):
    plain, raw = run.onnx(precision, "image"), run.onnx(f"{precision}-uint8", "image")
    plans = [run.build(f, run.scratch / f"{precision}-{kind}-image.plan") for f, kind in ((plain, "float"), (raw, "uint8"))]
    count = len(floats) if precision in ("fp8", "fp16") else 64
    expected = run.infer(plans[0], floats[:count])
    run.equal(f"{precision}: embeddings of {count} pictures, bytes and floats", run.infer(plans[1], run.bytes(count)), expected)
    for isa in LADDER:
        env = {"OCTET_ISA": isa}
        if run.octet("exec", f"--loadEngine={plans[1]}", "--skipInference", code=None, env=env).returncode == 0:
            pair = [run.infer(p, x[:FEW], env=env) for p, x in zip(plans, (floats, run.bytes()))]
            run.equal(f"{precision}: OCTET_ISA={isa}, {FEW} pictures", pair[1], pair[0])
    steps = [run.steps(f"--loadEngine={p}") for p in plans]
    run.equal(f"{precision}: the same kernels", [s[2] for s in steps[1]], [s[2] for s in steps[0]])
    run.equal(f"{precision}: the first step", steps[1][0][3], "patch_embed:u8:1x3x32x32/4->256")
    return plans


def check_values(run, precision, floats):
    """The nodes before the convolution, in onnxruntime: the floats of the preprocessing, rounded once."""
    part = run.scratch / f"{precision}-values.onnx"
    run.octet("extract", run.onnx(f"{precision}-uint8", "image"), "--from", "pixel_values", "--to", "picture.values", "-o", part)
    wanted = floats[:FEW] if precision == "fp32" else floats[:FEW].astype(np.float16).astype(np.float32)
    run.equal(f"{precision}: onnxruntime's values of {FEW} pictures", ort_run(part, run.bytes(FEW)), wanted)
    run.equal(f"{precision}: octet's reference of the file, the same", run.infer(part, run.bytes(1), flags=["--reference=onnx"], name="pixel_values"), wanted[:1])


def check_commands(run, plan):
    np.save(run.scratch / "one.npy", run.bytes(1))
    forced = run.octet("compare", plan, "--teacher-forced", "--json", "--quiet", "--input", f"pixel_values={run.scratch / 'one.npy'}", code=None)
    steps = load_json(forced.stdout)["forced"][0]["steps"]
    run.equal(f"values of {len(steps)} steps beyond their bound", sum(s["unexplained"] for s in steps), 0)
    quick = [f"--loadEngine={plan}", "--shapes=pixel_values:2x32x32x3", "--iterations=1", "--duration=0", "--warmUp=0"]
    run.check("random values for input pixel_values (uniform in [0, 255])" in run.octet("exec", *quick).stdout, "exec draws bytes")
    np.ascontiguousarray(run.bytes(2)).tofile(run.scratch / "two.bin")
    np.save(run.scratch / "two.npy", run.bytes(2).astype(np.int64))
    outputs = []
    for file in ("two.bin", "two.npy"):
        run.octet("exec", *quick, f"--loadInputs=pixel_values:{run.scratch / file}", f"--exportOutput={run.scratch / 'out.json'}")
        outputs.append(load_json((run.scratch / "out.json").read_text())[0]["values"])
    run.equal("exec --loadInputs, a raw file and a .npy", outputs[1], outputs[0])
    run.equal("the same as octet run", np.float32(outputs[0]), run.infer(plan, run.bytes(2)).ravel())
    profile = load_json(run.octet("profile", plan, "--batch", 2, "--iterations", 1, "--duration", 0, "--json", "-").stdout)
    first = profile["engines"][0]["steps"][0]
    run.equal("profile: type of the patch embedding's products", first["precision"], "f16")


def check_refusals(run, plan):
    np.save(run.scratch / "float.npy", np.asarray(run.pixels(1)))
    np.save(run.scratch / "large.npy", np.full((1, 32, 32, 3), 256, np.int64))
    for what, file, words in (("float pictures", "float.npy", "bytes of the pictures, [batch, H, W, 3]"), ("256", "large.npy", "256 is no u8")):
        done = run.octet("run", plan, "--input", f"pixel_values={run.scratch / file}", code=2)
        run.check(words in done.stderr, f"{what}: {done.stderr.splitlines()[0]}")
    done = run.octet("export", MODEL, "--input", "uint8", "--tower", "text", "-o", run.scratch / "text", code=2)
    run.check("image towers" in done.stderr, f"a text tower alone: {done.stderr.splitlines()[0]}")


def predictions(run, export):
    file = run.scratch / f"{export}.tsv"
    run.octet("eval", run.work / export, "--images", DATA / "eval.tar", "--classes", DATA / "classes.txt", "--prompts", DATA / "prompts.txt", "--predictions", file)
    return file.read_text()


if __name__ == "__main__":
    with running(__doc__) as run:
        floats, _ = preprocessed(run.tools / "preprocess", DATA / "eval.tar", MODEL)
        plans = {precision: check_bits(run, precision, floats) for precision in ("fp8", "fp16", "bf16", "fp32")}
        for precision in ("fp8", "fp16", "fp32"):
            check_values(run, precision, floats)
        check_commands(run, plans["fp8"][1])
        check_refusals(run, plans["fp8"][1])
        run.check(predictions(run, "fp8-uint8") == predictions(run, "fp8"), "eval: the same class of every picture")
