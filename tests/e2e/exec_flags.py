#!/usr/bin/env python3
"""octet exec takes trtexec's command lines: every flag of its table does what the table says of it, the guide's table is the program's
own, names and shapes resolve as trtexec's, and what cannot be had is refused with the remedy."""
import re

from common import ROOT, running
from raw_modelopt import raw

GUIDE = ROOT / "docs" / "guides" / "coming-from-trtexec.md"
QUICK = ["--iterations=1", "--duration=0", "--warmUp=0"]
VALUES = {"--profilingVerbosity": "detailed", "--builderOptimizationLevel": "0", "--memPoolSize": "workspace:4096M,tacticSharedMem:0.25", "--percentile": "50,99.9",
          "--inputIOFormats": "fp16:chw", "--outputIOFormats": "fp16:chw+hwc", "--useRuntime": "lean", "--hardwareCompatibilityLevel": "ampere+",
          "--runtimePlatform": "SameAsBuild", "--sparsity": "enable", "--allocationStrategy": "runtime", "--tacticSources": "-CUDNN,+CUBLAS", "--compat": "10",
          "--accuracyAlgorithm": "cos", "--disable-pass": "fuse-gelu", "--dump-after": "none", "--useProfile": "0", "--duration": "0", "--warmUp": "0",
          "--require-fp8": "*fc1*", "--device": "0", "--cpu-threads": "2", "--prepack": "stored", "--infStreams": "2", "--iterations": "2"}
SHAPES = {"--shapes": 3, "--minShapes": 1, "--optShapes": 2, "--maxShapes": 4}
# Tried on lines of their own: they stop early, load instead of building, or need files.
APART = {"--onnx", "--loadEngine", "--getPlanVersionOnly", "--timeDeserialize", "--skipInference", "--loadRefOutputs", "--refPair", "--accuracyThreshold", "--loadInputs",
         "--disable-pass", "--fixTypes"}


def table(run):
    """[(first name, all names, fate, text)] of what the program prints, which is what the guide shows."""
    text = run.octet("exec", "--print-flags").stdout
    run.check(text in GUIDE.read_text(), "the guide has the table that octet exec --print-flags prints")
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    return [(re.findall(r"--[\w-]+", names)[0], re.findall(r"`(-[\w-]+)`", names), fate, about) for names, fate, about in rows]


def takes_value(helped, name):
    found = re.search(rf"^  (?:-\w,)?{name}(?![\w-])(?:,--[\w-]+)*( [^ \n]+)?", helped, re.M)
    return bool(found and found[1])


def value_of(run, name, kind):
    if name in SHAPES:
        return f"pixel_values:{SHAPES[name]}x3x32x32"
    if name in VALUES:
        return VALUES[name]
    if name.startswith(("--export", "--save")):
        return str(run.scratch / (name[2:] + ".out"))
    return "1" if kind == "number" else "some"


def whole_line(run, rows, helped):
    """One line with every flag that is obeyed or accepted."""
    line, noted = [f"--onnx={run.onnx('fp8', 'image')}"], []
    for name, _, fate, _ in rows:
        if fate == "refused" or name in APART:
            continue
        if re.search(rf"^  {name} (?:N|X) ", helped, re.M):
            value = VALUES.get(name, "1")
        else:
            value = value_of(run, name, "text")
        line.append(f"{name}={value}" if takes_value(helped, name) else name)
        noted += [name] * (fate == "accepted")
    out = run.octet("exec", *line, cwd=run.scratch).stdout
    told = [n for n in noted if re.search(rf"\] \[I\] {n}: \w", out)]
    run.equal(f"a line of {len(line)} flags: a note for each of the {len(noted)} without a meaning here", told, noted)
    run.check(out.rstrip().split("\n")[-1].startswith("&&&& PASSED octet.exec [octet v"), "it passes")
    run.check(f"# octet exec {' '.join(line)}"[:400] in out, "the framing quotes it as given")
    for name in ("exportTimes", "exportOutput", "exportProfile", "exportLayerInfo", "saveEngine"):
        run.check((run.scratch / f"{name}.out").stat().st_size > 0, f"--{name} wrote its file")
    run.check((run.scratch / "pixel_values.input.3x3x32x32.f16.raw").stat().st_size == 2 * 3 * 3 * 32 * 32, "--dumpRawBindingsToFile wrote the input")


def refused(run, what, words, *args, code=2):
    done = run.octet("exec", *args, code=None)
    ok = done.returncode == code and all(w in done.stderr for w in words)
    run.check(ok, f"{what}: exit {done.returncode}" + ("" if ok else f", expected {code} and {words}: {done.stderr}"))


def refusals(run, rows, helped, source):
    for name, _, fate, about in rows:
        if fate != "refused":
            continue
        value = "=1" if takes_value(helped, name) else ""
        refused(run, name, [name, about.split(". Instead: ")[1].replace("\\|", "|")], source, name + value)
    for word, near in (("--warmup=5", "--warmUp"), ("--saveEngin=x", "--saveEngine"), ("--stronglytyped", "--stronglyTyped"), ("--exportTime=x", "--exportTimes")):
        refused(run, word, [f"did you mean `{near}`?"], source, word)
    for bad, word in (("--percentile=101", "percent"), ("--iterations=-1", "--iterations"), ("--duration=x", "--duration"), ("--memPoolSize=workspce:1", "workspace"),
                      ("--memPoolSize=workspace:1Q", "size"), ("--profilingVerbosity=all", "--profilingVerbosity"), ("--builderOptimizationLevel=6", "--builderOptimizationLevel"),
                      ("--accuracyThreshold=1", "--loadRefOutputs"), ("--inputIOFormats=fp32:chw", "fp32"), ("--inputIOFormats=fp16:chw32", "row-major")):
        refused(run, bad, [word], source, bad)


def names_and_shapes(run):
    image, static = f"--loadEngine={run.plan('fp8', 'image')}", run.scratch / "static.onnx"
    for spec in ("pixel_values:2x3x32x32", "'pixel_values':2x3x32x32", "pix*:2x3x32x32", "*:2x3x32x32"):
        run.check("(batch 2)" in run.octet("exec", image, f"--shapes={spec}", *QUICK).stdout, f"--shapes={spec}")
    out = run.octet("exec", image, "--shapes=x:2x3x32x32", *QUICK).stdout
    run.check("[W] --shapes: the model has no input `x`" in out and "(batch 2)" in out, "another name means the only input, with a warning")
    refused(run, "--strictNames", ["no input `x`", "pixel_values"], image, "--shapes=x:2x3x32x32", "--strictNames")
    refused(run, "a near miss", ["did you mean `pixel_values`?"], image, "--shapes=pixel_value:2x3x32x32", "--strictNames")
    profiles = ["--profile=0", "--minShapes=x:1x3x32x32", "--maxShapes=x:4x3x32x32", "--profile=1", "--optShapes=x:5x3x32x32"]
    out = run.octet("exec", image, *profiles, "--useProfile=1", "--dumpOptimizationProfile", *QUICK).stdout
    run.check("(batch 5)" in out and "min 1x3x32x32, opt 4x3x32x32, max 4x3x32x32" in out, "profiles: the one in use gives the batch")
    for batch in (1, 3, 4):
        out = run.octet("exec", image, *profiles[:3], f"--shapes=x:{batch}x3x32x32", *QUICK, "--explain").stdout
        run.check(f"(batch {batch})" in out and out.count(" attention  ") == 8, f"every shape of the profile runs fused: {batch}")
    refused(run, "a shape outside of the profile", ["1 to 4"], image, *profiles[:3], "--shapes=x:5x3x32x32")
    refused(run, "bounds out of order", ["min <= opt <= max"], image, "--minShapes=x:3x3x32x32", "--maxShapes=x:2x3x32x32")
    refused(run, "--useProfile without one", ["--useProfile=2"], image, *profiles, "--useProfile=2")
    refused(run, "a scalar", ["a scalar"], image, "--shapes=pixel_values:scalar")

    raw(run.onnx("fp8", "image"), static, "image", batch=2)
    refused(run, "--shapes on a static file", ["static", f"octet fix-types {static}", "--dynamic-batch"], f"--onnx={static}", "--fixTypes", "--shapes=x:2x3x32x32")
    out = run.octet("exec", f"--onnx={static}", "--fixTypes", "--no-self-check", *QUICK).stdout
    run.check("exported for a batch of 2" in out and "(batch 2)" in out, "a static file runs at its own batch")


def apart(run):
    image, text = run.plan("fp8", "image"), run.plan("fp8", "text")
    out = run.octet("exec", f"--loadEngine={image}", "--getPlanVersionOnly").stdout
    run.check(re.search(r"created with octet \d+\.\d+\.\d+, format version 2", out), "--getPlanVersionOnly")
    out = run.octet("exec", f"--loadEngine={text}", "--timeDeserialize").stdout
    run.check(re.search(r"Total deserialization time = [\d.]+ milliseconds in \d+ iterations", out), "--timeDeserialize")
    onnx = f"--onnx={run.onnx('fp8', 'text')}"
    out = run.octet("exec", onnx, "--disable-pass=fuse-attention", "--disable-pass=merge-duplicates", "--skipInference", "--explain", "--no-self-check").stdout
    run.check(out.count(" scores  ") == out.count(" softmax  ") == 4 and " attention  " not in out, "--disable-pass=fuse-attention")
    run.check("pass merge-duplicates: 0 rewrites" in out or "pass merge-duplicates" not in out, "--disable-pass twice")
    refused(run, "--disable-pass of a pass that lowering needs", ["mlp.fc2", "no step"], onnx, "--disable-pass=fuse-gelu", "--skipInference", code=4)
    refused(run, "--disable-pass of no pass", ["did you mean `fuse-gelu`?"], onnx, "--disable-pass=fuse-gel", "--skipInference")
    out = run.octet("exec", f"--loadEngine={text}", "--shapes=input_ids:2x77", "--streams=3", "--iterations=4", "--duration=0", "--warmUp=0").stdout
    run.check("Timing trace has 12 queries" in out and "[W] * 3 streams ran at a time" in out, "--streams=3, the old name of --infStreams, runs three at a time")
    run.check("vocabulary [0, 49408)" in out, "random token ids are of the vocabulary")
    run.check(run.octet("exec", f"--loadEngine={text}", "--compat=11", *QUICK).returncode == 0, "--compat=11")


if __name__ == "__main__":
    with running(__doc__) as run:
        helped = run.octet("exec", "--help").stdout
        groups = re.findall(r"^(\w[\w' ]*):$", helped, re.M)
        order = ["Model Options", "Build Options", "Inference Options", "Reporting Options", "System Options"]
        run.equal("--help is grouped as trtexec's", [g for g in groups if g in order], order)
        rows = table(run)
        run.at_least("flags", len(rows), 140)
        whole_line(run, rows, helped)
        refusals(run, rows, helped, f"--loadEngine={run.plan('fp8', 'image')}")
        names_and_shapes(run)
        apart(run)
