#!/usr/bin/env python3
"""What octet exec prints and writes: every printed statistic recomputed from --exportTimes, all JSON well-formed whatever the names,
outputs those of octet run, gates that fail the command with the list, and the reference blog's lines with another program name."""
import json
import re

import numpy as np
import onnx
from common import TOWERS, running
from raw_modelopt import raw

QUICK = ["--iterations=1", "--duration=0", "--warmUp=0"]
HOSTILE = ['a"}],"b":[{"', "back\\slash\\", "new\nline\ttab", "</script><img onerror=alert(1)>", "café ☃ \u2028", "nul\x01\x1f", "%s%n{}{0}"]
TIMES = ["startEnqMs", "endEnqMs", "startH2dMs", "endH2dMs", "startComputeMs", "endComputeMs", "startD2hMs", "endD2hMs", "h2dMs", "computeMs", "d2hMs", "latencyMs"]


def percentile(ascending, p):
    """trtexec's, in its f32."""
    exclude = int((np.float32(1) - np.float32(p) / np.float32(100)) * np.float32(len(ascending)))
    return ascending[max(len(ascending) - 1 - exclude, 0)]


def times_line(name, times, percentiles):
    times = np.sort(times)
    text = f"{name}: min = {times[0]:.6g} ms, max = {times[-1]:.6g} ms, mean = {np.mean(times):.6g} ms, median = {np.median(times):.6g} ms"
    return text + "".join(f", percentile({p:g}%) = {percentile(times, p):.6g} ms" for p in percentiles)


def twelve_flags(run):
    """A line with twelve report flags; what it prints follows from what it writes."""
    files = {name: run.scratch / f"{name}.json" for name in ("exportTimes", "exportOutput", "exportProfile", "exportLayerInfo")}
    flags = ["--avgRuns=5", "--percentile=50,90,99.5", "--verbose", "--dumpOutput", "--dumpProfile", "--dumpLayerInfo", "--separateProfileRun", "--profilingVerbosity=detailed"]
    flags += [f"--{name}={path}" for name, path in files.items()]
    run.equal("report flags", len(flags), 12)
    plan = run.plan("fp8", "text")
    out = run.octet("exec", f"--loadEngine={plan}", "--shapes=input_ids:3x77", "--iterations=23", "--duration=0", "--warmUp=20", *flags).stdout
    lines = [re.sub(r"^\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[[IWV]\] ", "", line) for line in out.splitlines()]
    rows = json.loads(files["exportTimes"].read_text())
    run.check(all(list(r)[:12] == TIMES for r in rows) and len(rows) >= 23, f"{len(rows)} runs exported with trtexec's fields")
    warm = int(re.search(r"Warmup completed (\d+) queries over 20 ms", out)[1])
    run.check(warm > 0 and min(r["startComputeMs"] for r in rows) >= 20, f"{warm} runs of the warm-up are not among them")
    run.check(f"Timing trace has {len(rows)} queries over {(rows[-1]['endD2hMs'] - rows[0]['startH2dMs']) / 1000:.6g} s" in lines, f"the trace: {[line for line in lines if 'Timing trace' in line]}, {(rows[-1]['endD2hMs'] - rows[0]['startH2dMs']) / 1000:.6g}")
    for name, key in (("Latency", "latencyMs"), ("GPU Compute Time", "computeMs"), ("H2D Latency", "h2dMs"), ("D2H Latency", "d2hMs"), ("Wall Latency", "wallMs")):
        expected = times_line(name, np.array([r[key] for r in rows]), (50, 90, 99.5))
        run.check(expected in lines, f"recomputed: {expected[:110]}")
    enqueue = np.median([r["endEnqMs"] - r["startEnqMs"] for r in rows])
    printed = float(re.search(r"Enqueue Time: .* median = ([\d.e-]+) ms", out)[1])
    run.check(0 < printed < rows[0]["computeMs"] and abs(printed - enqueue) < 1e-4 * printed, f"enqueue time: what passes until the first step, {printed} ms")
    run.check("On the CPU nothing is transferred" in out and not any(r["h2dMs"] or r["d2hMs"] for r in rows), "no transfers on the CPU, and a note says so")
    wall = (max(r["endD2hMs"] for r in rows) - rows[0]["startH2dMs"]) / 1000
    run.check(f"Throughput: {len(rows) / wall:.6g} qps" in lines, f"throughput {len(rows) / wall:.6g}")
    run.check(f"Items per second: {3 * len(rows) / wall:.6g} (batch 3)" in lines, "items a second")
    averages = [f"Average on 5 runs - GPU latency: {np.mean([r['computeMs'] for r in rows[i:i + 5]]):.6g} ms" for i in range(0, len(rows) - 4, 5)]
    run.equal("lines of averages", sum(any(line.startswith(a) for line in lines) for a in averages), len(averages))
    share = re.search(r"Realised precision by time: (.*)", out)[1]
    run.check("e4m3" in share and abs(sum(map(float, re.findall(r"([\d.]+) %", share))) - 100) < 0.5, f"realised precision: {share}")
    run.check("[I] Output Tensors:" in out and "text_embeds: (3x256)" in out, "--dumpOutput")
    printed_profile(run, lines, json.loads(files["exportProfile"].read_text()))
    layer_info(run, plan, json.loads(files["exportLayerInfo"].read_text()))
    return json.loads(files["exportOutput"].read_text())


def printed_profile(run, lines, profile):
    begin = lines.index("    Time(ms)      Avg.(ms)   Median(ms)   Time(%)   Layer  Problem  Kernel")
    rows = [line.split() for line in lines[begin + 1:begin + len(profile) + 1]]
    expected = [[f"{x['timeMs']:.4f}", f"{x['averageMs']:.4f}", f"{x['medianMs']:.4f}", f"{x['percentage']:.1f}", x["name"]] for x in profile[1:]]
    run.equal("the printed profile is the exported one", [r[:5] for r in rows[:-1]], expected)
    run.equal("its total", rows[-1][3:], ["100.0", "Total"])


def layer_info(run, plan, info):
    steps = run.steps(f"--loadEngine={plan}")
    run.equal("layer information: a layer a step", [(x["Name"], x["LayerType"], x["TacticName"]) for x in info["Layers"]], [s[:3] for s in steps])
    qkv = next(x for x in info["Layers"] if x["LayerType"] == "gemm")
    run.check(qkv["Inputs"][0]["Format/Datatype"] == "Row major linear FP8 format" and qkv["Inputs"][0]["Dimensions"][0] == 3, "tensors with type and batch")
    nodes = qkv["Metadata"].split("\x1f")
    run.check(len(nodes) > 5 and all(re.fullmatch(r"\[ONNX Layer: .+\]", n) for n in nodes) and any("quant" in n.lower() or ".q" in n for n in nodes),
              f"the ONNX nodes of a layer, Q/DQ included: {len(nodes)}")
    run.equal("bindings", info["Bindings"], ["input_ids", "text_embeds"])
    out = run.octet("exec", f"--loadEngine={plan}", "--skipInference", "--dumpLayerInfo").stdout
    run.check(all(f"[I] {s[0]}\n" in out for s in steps), "--dumpLayerInfo prints names by default")


def outputs(run, exported):
    """--loadInputs from a raw file and from .npy; --exportOutput gives what octet run gives."""
    plan, ids = run.plan("fp8", "text"), run.ids(3)
    ids.astype(np.int64).tofile(run.scratch / "ids.bin")
    np.save(run.scratch / "ids.npy", ids.astype(np.int32))
    expected = run.infer(plan, ids)
    run.equal("--exportOutput: name and dimensions", [(x["name"], x["dimensions"]) for x in exported], [("text_embeds", "3x256")])
    for file in ("ids.bin", "ids.npy"):
        out = run.scratch / "out.json"
        run.octet("exec", f"--loadEngine={plan}", "--shapes=input_ids:3x77", f"--loadInputs=input_ids:{run.scratch / file}", f"--exportOutput={out}", *QUICK)
        values = np.array(json.loads(out.read_text())[0]["values"], np.float32).reshape(3, -1)
        run.equal(f"--loadInputs={file}: outputs are those of octet run", values, expected)
        profile = run.scratch / "profile.json"
        given = [f"--loadEngine={plan}", "--shapes=input_ids:3x77", f"--loadInputs=input_ids:{run.scratch / file}", *QUICK]
        run.octet("exec", *given, f"--exportOutput={out}", "--dumpProfile", f"--exportProfile={profile}", "--profilingVerbosity=detailed")
        values = np.array(json.loads(out.read_text())[0]["values"], np.float32).reshape(3, -1)
        run.equal(f"--loadInputs={file}: the same bits with the profiler", values, expected)
    refused(run, "a file of another size", 3, ["1848 bytes", "1232"], f"--loadInputs=input_ids:{run.scratch / 'ids.bin'}", "--shapes=input_ids:2x77")
    (run.scratch / "bad.bin").write_bytes(np.full(77, 49408, np.int64).tobytes())
    refused(run, "a token id outside of the vocabulary", 3, ["49408", "vocabulary"], f"--loadInputs=input_ids:{run.scratch / 'bad.bin'}")
    return expected


def refused(run, what, code, words, *args, source=None):
    done = run.octet("exec", source or f"--loadEngine={run.plan('fp8', 'text')}", *QUICK, *args, code=None)
    ok = done.returncode == code and all(w in done.stderr for w in words) and (code != 6 or "&&&& FAILED octet.exec" in done.stdout)
    run.check(ok, f"{what}: exit {done.returncode}" + ("" if ok else f", expected {code} and {words}: {done.stdout[-300:]} {done.stderr}"))


def gates(run, expected):
    inputs = ["--shapes=input_ids:3x77", f"--loadInputs=input_ids:{run.scratch / 'ids.bin'}"]
    expected.astype(np.float16).tofile(run.scratch / "same.bin")
    (expected + np.float32(0.125)).astype(np.float32).tofile(run.scratch / "off.bin")
    for algorithm, file, threshold, code in (("l0", "same", "0", 0), ("cos", "same", "1e-6", 0), ("lInf", "off", "0.126", 0), ("lInf", "off", "0.124", 6), ("l1", "off", "0.12", 6),
                                             ("l2", "off", "0.016", 0), ("l2", "off", "0.015", 6), ("l0", "off", "0.5", 6)):
        args = [*inputs, f"--loadRefOutputs=text_embeds:{run.scratch / file}.bin", f"--accuracyAlgorithm={algorithm}", f"--accuracyThreshold={threshold}"]
        what = f"accuracy {algorithm} of {file}, threshold {threshold}"
        if code:
            refused(run, what, 6, [f"{algorithm} loss", threshold], *args)
        else:
            run.check(f"Accuracy of text_embeds: {algorithm} loss" in run.octet("exec", f"--loadEngine={run.plan('fp8', 'text')}", *QUICK, *args).stdout, what)
    pairs = [flag for i, file in enumerate(("same", "off")) for flag in (f"--refPair={i}", inputs[1], f"--loadRefOutputs=text_embeds:{run.scratch / file}.bin")]
    refused(run, "the second of two pairs", 6, ["1 of 2"], inputs[0], *pairs, "--accuracyAlgorithm=lInf", "--accuracyThreshold=0.01")
    refused(run, "a threshold is needed", 2, ["--accuracyThreshold"], *inputs, f"--loadRefOutputs=text_embeds:{run.scratch / 'same.bin'}")

    for tower in TOWERS:
        out = run.octet("exec", f"--loadEngine={run.plan('fp8', tower)}", "--require-fp8", "--require-fused-attention", "--skipInference").stdout
        run.check("steps multiply in FP8" in out and "are fused" in out, f"{tower}: FP8 and fused, as required")
    fp16 = f"--loadEngine={run.plan('fp16', 'text')}"
    refused(run, "--require-fp8 of an FP16 engine", 6, ["21 of 21 steps", "mlp.fc1", "gemm:f16xf16", "Q/DQ"], "--require-fp8", source=fp16)
    refused(run, "--require-fp8 of a pattern", 6, ["4 of 4 steps"], "--require-fp8=*mlp.fc1*", source=fp16)
    refused(run, "--require-fp8 of nothing", 2, ["no step"], "--require-fp8=nothing-of-that-name", source=fp16)
    partly = f"--onnx={run.onnx('fp8-no-attention', 'text')}"
    refused(run, "--require-fp8 where attention stayed in f16", 6, ["4 of 21 steps", "attention"], "--require-fp8", "--no-self-check", source=partly)


def hostile_names(run):
    model = onnx.load(run.onnx("fp8", "text"))
    for i, node in enumerate(model.graph.node):
        node.name = f"{HOSTILE[i % len(HOSTILE)]}{i}"
    model.graph.output[0].name = HOSTILE[0]
    for node in model.graph.node:
        node.output[:] = [HOSTILE[0] if o == "text_embeds" else o for o in node.output]
    file = run.scratch / "hostile.onnx"
    onnx.save(model, file)
    paths = {name: run.scratch / f"hostile_{name}.json" for name in ("exportTimes", "exportOutput", "exportProfile", "exportLayerInfo")}
    out = run.octet("exec", f"--onnx={file}", "--no-self-check", *QUICK, "--profilingVerbosity=detailed", "--dumpProfile", "--dumpOutput",
                    *[f"--{name}={path}" for name, path in paths.items()]).stdout
    parsed = {name: json.loads(path.read_text()) for name, path in paths.items()}
    run.equal("hostile names: the output's", parsed["exportOutput"][0]["name"], HOSTILE[0])
    names = [x["name"] for x in parsed["exportProfile"][1:]]
    run.equal("hostile names: layers agree", names, [x["Name"] for x in parsed["exportLayerInfo"]["Layers"]])
    run.check(any(n.startswith(h) for n in names for h in HOSTILE) and any(f"[ONNX Layer: {HOSTILE[0]}" in x["Metadata"] for x in parsed["exportLayerInfo"]["Layers"]),
              "hostile names arrive as they are")
    run.check("\x01" not in out and "\x1f" not in out, "hostile names: nothing of them controls the terminal")


def bad_names(run):
    """Names that are no UTF-8, and none at all: the files are JSON still, and no two layers have one name."""
    file, out = run.scratch / "bad_names.onnx", run.scratch / "bad_names.json"
    name = b"text_model.encoder.layers.2.mlp.fc1"
    data = run.onnx("fp8", "text").read_bytes()
    file.write_bytes(data.replace(name, b"\xc3\xff\xfe" + name[3:]))
    for flag in ("--exportProfile", "--exportLayerInfo", "--exportTimes"):
        run.octet("exec", f"--onnx={file}", "--no-self-check", *QUICK, "--profilingVerbosity=detailed", f"{flag}={out}")
        names = [x.get("Name") or x.get("name") for x in (lambda j: j["Layers"] if isinstance(j, dict) else j)(json.loads(out.read_text()))]
        run.check(flag == "--exportTimes" or any(n and "\ufffd" in n for n in names), f"{flag}: bytes that are no UTF-8 are replaced")
    model = onnx.load(run.onnx("fp8", "text"))
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, file)
    run.octet("exec", f"--onnx={file}", "--no-self-check", *QUICK, f"--exportProfile={out}")
    names = [x["name"] for x in json.loads(out.read_text())[1:]]
    run.check(len(set(names)) == len(names) and all(names), f"of a graph without node names every layer has its own: {names[:3]}")


def blog_lines(run):
    """The two lines of NVIDIA's blog for ViT-L/14 at batch 128, for the small model and its picture size."""
    for tower, shape in (("text", "text_input:128x77"), ("image", "image_input:128x3x32x32")):
        folder = run.onnx("fp8-blog", tower).parent
        line = [f"--onnx={tower}_clip_fp8.onnx", f"--shapes={shape}", "--stronglyTyped", f"--saveEngine={run.scratch}/{tower}_clip_fp8.plan"]
        out = run.octet("exec", *line, *QUICK, cwd=folder).stdout
        run.check("&&&& PASSED octet.exec" in out and "(batch 128)" in out, f"the blog's {tower} line: {re.search('median = [0-9.]+ ms', out)[0]}")
        run.check((run.scratch / f"{tower}_clip_fp8.plan").stat().st_size > 0, "its engine is saved")
        source = run.scratch / f"{tower}_raw.onnx"
        raw(run.onnx("fp8-blog", tower), source, tower)
        out = run.octet("exec", f"--onnx={source}", f"--shapes={shape}", "--stronglyTyped", f"--saveEngine={run.scratch}/{tower}_raw.plan", "--fixTypes", *QUICK).stdout
        run.check("fixTypes: " in out and "(batch 128)" in out, f"a raw ModelOpt file of the {tower} tower, with --fixTypes")


if __name__ == "__main__":
    with running(__doc__) as run:
        exported = twelve_flags(run)
        expected = outputs(run, exported)
        gates(run, expected)
        hostile_names(run)
        bad_names(run)
        blog_lines(run)
