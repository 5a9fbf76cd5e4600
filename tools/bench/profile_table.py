#!/usr/bin/env python3
"""Profiles that `octet exec --exportProfile` wrote, side by side by kind of layer: LABEL=FILE... in the order of the columns; each
speed-up is over the column before. The files' schema: docs/formats/profile.md."""
import json
import sys
from pathlib import Path

# A gemm's role is what its step's name ends in.
GEMMS = [("v_proj", "GEMM q, k, v"), ("out_proj", "GEMM out_proj"), ("fc1", "GEMM fc1"), ("fc2", "GEMM fc2")]
KINDS = {"attention": "attention", "norm": "norm", "gemm": "GEMM, others"}
ROLES = ["attention", *(role for _, role in GEMMS), "GEMM, others", "norm", "rest"]


def load(path):
    """-> (the description, the layers)."""
    description, *layers = json.loads(Path(path).read_text())
    return description, layers


def role_of(layer):
    if layer["kind"] == "gemm":
        for ending, role in GEMMS:
            if layer["name"].endswith(ending):
                return role
    return KINDS.get(layer["kind"], "rest")


def by_role(layers):
    """role -> (steps, ms of all of them)."""
    groups = {}
    for layer in layers:
        steps, ms = groups.get(role_of(layer), (0, 0.0))
        groups[role_of(layer)] = steps + 1, ms + layer["medianMs"]
    return groups


def row(name, steps, times):
    """`times`: ms, None where a profile has no such layer."""
    cells = [f"{ms:.3f}" if ms is not None else "" for ms in times]
    ratios = [f"{a / b:.2f}x" if a and b else "" for a, b in zip(times, times[1:])]
    return f"| {' | '.join([name, steps, *cells, *ratios])} |"


def table(profiles):
    """profiles: [(label, description, layers)] -> lines."""
    labels = [label for label, _, _ in profiles]
    groups = [by_role(layers) for _, _, layers in profiles]
    heads = ["layers", "steps", *(f"{label}, ms" for label in labels), *(f"{b} over {a}" for a, b in zip(labels, labels[1:]))]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for role in ROLES:
        if any(role in g for g in groups):
            steps = sorted({g[role][0] for g in groups if role in g})
            lines.append(row(role, " / ".join(map(str, steps)), [g[role][1] if role in g else None for g in groups]))
    lines.append(row("all, step by step", "", [sum(ms for _, ms in g.values()) for g in groups]))
    lines.append(row("whole runs", "", [description["computeMs"] for _, description, _ in profiles]))
    lines.append("")
    for label, description, layers in profiles:
        kernels = sorted({layer["kernel"] for layer in layers if layer["kind"] == "attention"})
        lines.append(f"{label}: batch {description['batch']}, {description['device']}, medians of {description['count']} runs; attention by {', '.join(kernels)}")
    return lines


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all("=" in argument for argument in sys.argv[1:]):
        sys.exit(f"usage: {Path(sys.argv[0]).name} LABEL=FILE.json...")
    named = [argument.split("=", 1) for argument in sys.argv[1:]]
    print("\n".join(table([(label, *load(path)) for label, path in named])))
