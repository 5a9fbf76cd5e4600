#!/usr/bin/env python3
"""All 1,000 evaluation pictures and 240 prompts through octet's engines, against PyTorch's fp32 embeddings: mean cosine, the same
best class as fp32, top-1 with its 95 % interval, and `octet eval` telling the same."""
import numpy as np
from common import DATA, TOWERS, best_classes, cosines, load_json, reference, running, wilson

COSINE = {"fp16": 0.9999, "fp8": 0.998}
AGREEMENT = {"fp16": 0.997, "fp8": 0.98}

with running(__doc__) as run:
    truth = reference()
    labels = truth["labels"]
    expected = best_classes(truth["image_embeds"], truth["text_embeds"])
    run.equal("top-1 of the fp32 reference, in pictures", int((expected == labels).sum()), 865)
    for precision in ("fp16", "fp8"):
        out = {tower: run.infer(run.plan(precision, tower), run.inputs(tower)) for tower in TOWERS}
        for tower in TOWERS:
            c = cosines(out[tower], truth[f"{tower}_embeds"])
            run.at_least(f"{precision} {tower}: mean cosine to fp32 over {len(c)} (lowest {c.min():.5f})", c.mean(), COSINE[precision])
        best = best_classes(out["image"], out["text"])
        run.at_least(f"{precision}: same best class as fp32", (best == expected).mean(), AGREEMENT[precision])
        hits = int((best == labels).sum())
        low, high = wilson(hits, len(labels))
        low32, high32 = wilson(865, 1000)
        run.check(low32 <= hits / 1000 <= high32, f"{precision}: top-1 {hits / 10:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f}; fp32 86.5 %, {100 * low32:.1f} to {100 * high32:.1f}")
        told = load_json(run.octet("eval", run.work / precision, "--images", DATA / "eval.tar", "--classes", DATA / "classes.txt",
                                   "--prompts", DATA / "prompts.txt", "--predictions", run.scratch / "predictions.tsv", "--json").stdout)
        run.check(told["n"] == 1000 and abs(told["top1"] - hits / 1000) <= 0.0011, f"{precision}: octet eval says top-1 {told['top1']}, n {told['n']}")
        names = (DATA / "classes.txt").read_text().split("\n")
        predicted = [line.split("\t")[1] for line in (run.scratch / "predictions.tsv").read_text().splitlines()]
        run.at_least(f"{precision}: same class in --predictions", np.mean([names[b] == p for b, p in zip(best, predicted, strict=True)]), 0.998)
