#!/usr/bin/env python3
"""What `octet profile` says: its JSON against inspect, the engine and itself; totals; three engines side by side; traces; FP8 sites."""
import collections
import json

import numpy as np
from common import TOWERS, input_name, running

UNFUSED = "--disable-pass=fuse-attention"
QUICK = ("--device=cpu", "--duration", 0.3, "--warmUp", 20, "--iterations", 5)


def build(run, precision, tower, *flags):
    plan = run.scratch / f"{precision}_{tower}_unfused.plan"
    run.octet("exec", f"--onnx={run.onnx(precision, tower)}", f"--saveEngine={plan}", "--skipInference", "--device=cpu", *flags)
    return plan


def profile(run, *args):
    file = run.scratch / "report.json"
    text = run.octet("profile", *args, *QUICK, "--json", file, "--quiet").stdout
    return json.loads(file.read_text()), text


def check_engine(run, plan, engine):
    """The steps, what they stand for and what they do, against inspect's own words."""
    facts = json.loads(run.octet("inspect", plan, "--json", "--quiet", "--device=cpu").stdout)
    run.equal("steps", [(s["name"], s["kind"], s["kernel"], s["out_dtype"]) for s in engine["steps"]],
              [(s["name"], s["kind"], s["kernel"], s["out_dtype"]) for s in facts["steps"]])
    names = [[engine["nodes"][i]["name"] for i in s["source"]] for s in engine["steps"]]
    run.equal("source nodes, Q/DQ included", names, [s["source"] for s in facts["steps"]])
    run.check(all(engine["nodes"][i]["step"] == at for at, s in enumerate(engine["steps"]) for i in s["source"]), "nodes know their steps")
    run.equal("engine bytes", engine["summary"]["engine_bytes"], facts["bytes"])
    run.equal("weight bytes", engine["summary"]["weight_bytes"], facts["weights"]["bytes"])
    produced = {name: i for i, n in enumerate(engine["nodes"]) for name in n["outputs"] if name}
    edges = collections.Counter((produced[name], to, name) for to, n in enumerate(engine["nodes"]) for name in n["inputs"] if name in produced)
    run.equal("edges of the ONNX graph", collections.Counter((e["from"], e["to"], e["tensor"]) for e in engine["node_edges"]), edges)
    run.check(all(e["from"] < e["to"] or e["to"] == -1 for e in engine["edges"]), "edges of the steps run forward")
    gemm = next(s for s in engine["steps"] if s["kind"] == "gemm")
    m, n, k = map(int, gemm["problem"].split(":")[2].split("+")[0].split("x"))
    run.equal("FLOPs of a GEMM", gemm["flops"], 2 * m * n * k)


def check_times(run, engine):
    s, steps = engine["summary"], engine["steps"]
    medians = [float(np.median(x["ms"])) for x in steps]
    run.check(np.allclose(medians, [x["time"]["median"] for x in steps]), "medians are of the runs")
    run.check(all(x["time"]["low"] <= x["time"]["median"] <= x["time"]["high"] for x in steps), "intervals hold the medians")
    run.check(abs(sum(x["share"] for x in steps) - 100) < 1e-6, "shares add up")
    sums = np.sum([x["ms"] for x in steps], axis=0)
    run.check(abs(np.median(sums) - s["sum_of_steps"]["median"]) < 1e-9 and abs(s["gap_ms"] - (np.median(sums) - s["plain_ms"])) < 1e-9, "the gap")
    for key, name in (("by_category", "category"), ("by_precision", "precision")):
        for share in engine[key]:
            of = [x for x in steps if x[name] == share["name"]]
            run.check(share["steps"] == len(of) and abs(share["ms"] - np.median(np.sum([x["ms"] for x in of], axis=0))) < 1e-9, f"{name} {share['name']}")
    best = s["items_per_second"] * s["mean"] / 1000 / s["batch"]
    run.check(0.3 < best <= 1.05, f"items/s fit the mean: {best:.3f}")
    return abs(s["gap_percent"])


def check_three(run, tower):
    """FP16 without attention fusion, FP16, FP8: the figure of the guide."""
    a, b, c = build(run, "fp16", tower, UNFUSED), run.plan("fp16", tower), run.plan("fp8", tower)
    report, text = profile(run, a, "--against", b, "--against", c, "--batch", 2)
    run.equal("schema", (report["schema"], len(report["engines"])), ("octet.profile/1", 3))
    for plan, engine in zip((a, b, c), report["engines"]):
        check_engine(run, plan, engine)
    categories = [{x["name"] for x in e["by_category"]} for e in report["engines"]]
    run.check("unfused attention" in categories[0] and "attention" not in categories[0], "A has no fused attention")
    run.check(all("unfused attention" not in x and "attention" in x for x in categories[1:]), "B and C have no unfused one")
    run.equal("what the legs differ in", [leg["cause"] for leg in report["waterfall"]], ["fusion", "precision"])
    for leg in report["waterfall"]:
        total = sum(p["ms"] for p in leg["parts"]) + leg["unattributed_ms"]
        run.check(abs(total - (leg["from_ms"] - leg["to_ms"])) < 1e-6, "the parts of a leg are its gain")
    for layer in report["layers"]:
        steps = [[report["engines"][e]["steps"][i]["kind"] for i in side["steps"]] for e, side in enumerate(layer["sides"])]
        if layer["category"] == "unfused attention":
            run.equal(layer["name"], steps, [["scores", "softmax", "values"], ["attention"], ["attention"]])
    run.check(all(side["steps"] for layer in report["layers"] for side in layer["sides"]), f"{len(report['layers'])} layers match in all three")
    run.equal("FP8 products in FP16", {s["fp8"] for s in report["engines"][1]["steps"]}, {"no", "n/a"})
    why = [s for s in report["engines"][2]["steps"] if s["fp8"] in ("no", "partly")]
    run.check(all(s["fp8_reason"] for s in why), f"a reason for each product that is not in FP8: {[s['name'] for s in why]}")
    run.check("unfused attention" in text and "by fusion" in text and "products not in FP8" in text, "the tables say it")


def check_unfused(run, precision, tower):
    """The steps of unfused attention are exact, and the model is the same."""
    plan, array = build(run, precision, tower, UNFUSED), run.inputs(tower, 4)
    kinds = collections.Counter(s["kind"] for s in json.loads(run.octet("inspect", plan, "--json", "--quiet", "--device=cpu").stdout)["steps"])
    run.check(kinds["scores"] == kinds["softmax"] == kinds["values"] > 0 and kinds["attention"] == 0, f"{precision} {tower}: {dict(kinds)}")
    x, y = run.infer(plan, array, flags=("--device=cpu",)), run.infer(run.plan(precision, tower), array, flags=("--device=cpu",))
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    run.at_least(f"{precision} {tower}: cosine to the fused engine", float(cosine.min()), 0.9999 if precision == "fp16" else 0.998)
    for isa in (None, "avx2"):
        forced = json.loads(run.octet("compare", plan, "--teacher-forced", "--batch", 2, "--rows", 64, "--json", "--quiet", "--device=cpu",
                                      env={"OCTET_ISA": isa} if isa else {}).stdout)["forced"][0]["steps"]
        run.equal(f"{precision} {tower} {isa or 'best'}: elements outside the bound", sum(s["unexplained"] for s in forced), 0)


def check_totals(run):
    """Sums of steps within 5 % of whole runs: the best of a few tries, since other work on the machine disturbs single ones."""
    gaps = []
    while len(gaps) < 8 and min(gaps, default=100) > 5:
        report, _ = profile(run, run.plan("fp8", "image"), "--batch", 16)
        gaps.append(check_times(run, report["engines"][0]))
    run.at_most(f"gap of the sum to whole runs, % ({[round(g, 1) for g in gaps]})", min(gaps), 5)


def check_files(run):
    trace, name = run.scratch / "trace.json", input_name(run.plan("fp8", "image"))
    np.save(run.scratch / "x.npy", run.inputs("image", 4))
    given = ("--input", f"{name}={run.scratch}/x.npy")
    report, text = profile(run, run.plan("fp8", "image"), *given, "--trace", trace, "--stats")
    engine, events = report["engines"][0], json.loads(trace.read_text())["traceEvents"]
    steps = [e for e in events if e["ph"] == "X" and e["tid"] == 1]
    run.check({e["name"] for e in steps} == {s["name"] for s in engine["steps"]} and all(e["dur"] >= 0 for e in steps), "the trace has every step")
    run.check("clipped" in text and engine["sites"], "--stats prints its sites")
    quantized = sum(s["out_dtype"] == "e4m3" for s in engine["steps"])
    run.equal("every FP8 output has its sites", len({s["step"] for s in engine["sites"]}), quantized)
    run.check(all(s["clipped"] == 0 and s["nan"] == 0 and s["saturated"] <= 0.001 * s["elements"] for s in engine["sites"]), "calibrated: nothing clips")
    run.check(all(0 < s["largest"] <= 448 and s["zeros"] < s["elements"] for s in engine["sites"]), "codes are used")
    printed = json.loads(run.octet("profile", run.plan("fp8", "text"), *QUICK, "--json", "-", "--quiet").stdout)
    run.equal("JSON on stdout", printed["schema"], "octet.profile/1")
    run.octet("profile", run.plan("fp8", "image"), "--input", f"wrong={run.scratch}/x.npy", code=2)
    run.octet("profile", run.scratch / "none.plan", code=5)


if __name__ == "__main__":
    with running(__doc__) as run:
        for tower in TOWERS:
            check_three(run, tower)
            for precision in ("fp16", "fp8"):
                check_unfused(run, precision, tower)
        check_totals(run)
        check_files(run)
