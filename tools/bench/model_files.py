"""The model that `./dev bench peers` and `./dev bench memory` work on, and the files made from it. Used by peers.py and memory.py."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parents[2]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def add_model_flags(parser):
    parser.add_argument("--octet", default=ROOT / "build/release/octet", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a CLIP checkpoint of Hugging Face's form (default: ViT-L/14 of random weights)")
    parser.add_argument("--work", default=ROOT / "build/bench", type=Path, help="where files are kept")
    parser.add_argument("--tower", default="both", choices=["image", "text", "both"])
    parser.add_argument("--threads", default=len(os.sched_getaffinity(0)), type=int)


def draw(path, batch, seed=0):
    """(name, array) of a model's input: floats U[-1, 1], ids in the vocabulary, as `octet exec` feeds."""
    model = onnx.load(path, load_external_data=False)
    (given,) = model.graph.input
    dims = [d.dim_value for d in given.type.tensor_type.shape.dim[1:]]
    random = np.random.default_rng(seed)
    if len(dims) == 3:
        return given.name, random.uniform(-1, 1, [batch, *dims]).astype(np.float16)
    return given.name, random.integers(1, 40000, [batch, *dims])


class Files:
    """The model and the files made from it, each when it is first asked for, and kept. `make`: how to make kinds that octet does not
    export, from the file of another kind: {kind: (kind of the source, make(source, target))}."""

    def __init__(self, args, make=None):
        self.octet, self.tower, self.make = args.octet, args.tower, make or {}
        self.checkpoint = args.checkpoint or self.synthesised(args.work / "clip-vit-l-14")
        self.folder = args.work / self.checkpoint.resolve().name

    def synthesised(self, folder):
        if not (folder / "model.safetensors").exists():
            say("making ViT-L/14")
            subprocess.run([self.octet, "synth", "clip-vit-l-14", "-o", folder, "--quiet"], check=True)
        return folder

    def get(self, kind):
        if kind == "checkpoint":
            return self.checkpoint
        path = self.folder / kind / f"{self.tower}.onnx"
        if not path.exists():
            say(f"making {path.relative_to(self.folder)}")
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind in self.make:
                source, make = self.make[kind]
                make(self.get(source), path)
            else:
                subprocess.run([self.octet, "export", self.checkpoint, "--quiet", "--precision", kind, "--tower", self.tower, "-o", path.parent], check=True)
        return path
