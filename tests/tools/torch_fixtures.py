#!/usr/bin/env python3
"""What torch.onnx writes for CLIP, BERT and ViT: both exporters, f32 and f16, eager and SDPA attention, opset 13 to 25, random weights.
Needs torch, onnxscript and transformers; no test of ./dev test runs it: tests/e2e/torch_onnx.py reads what it wrote.

  torch_fixtures.py OUT.tar.xz             tiny widths: tests/fixtures/torch_onnx.tar.xz
  torch_fixtures.py OUT --sizes b32 l14 --only '*-sdpa-2?.onnx'    true widths, two layers, a folder of files

A file is MODEL-EXPORTER-PRECISION-ATTENTION-OPSET.onnx."""
import argparse
import io
import itertools
import lzma
import tarfile
import warnings
from fnmatch import fnmatch
from pathlib import Path

import onnx
import torch
from transformers import BertConfig, BertModel, CLIPConfig, CLIPModel, ViTConfig, ViTModel

# size: text (width, heads), vision (width, heads, picture, patch), words, tokens, layers
SIZES = {
    "tiny": ((32, 2), (32, 2, 24, 8), 64, 12, 2),
    "b32": ((512, 8), (768, 12, 224, 32), 2048, 77, 2),
    "l14": ((768, 12), (1024, 16, 224, 14), 2048, 77, 2),
}
# Both ends and what changed in between: 17 LayerNormalization, 20 Gelu, 23 Attention.
OPSETS = {"script": (13, 14, 17, 20), "dynamo": (18, 20, 23, 24, 25)}


class ClipText(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, input_ids):
        return self.clip.text_projection(self.clip.text_model(input_ids=input_ids).pooler_output)


class ClipImage(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.clip = clip

    def forward(self, pixel_values):
        return self.clip.visual_projection(self.clip.vision_model(pixel_values=pixel_values).pooler_output)


class Bert(torch.nn.Module):
    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


class Vit(torch.nn.Module):
    def __init__(self, vit):
        super().__init__()
        self.vit = vit

    def forward(self, pixel_values):
        return self.vit(pixel_values=pixel_values).last_hidden_state


def models(size, attention):
    """{name: (module, inputs by name)}"""
    (tw, th), (vw, vh, picture, patch), words, tokens, layers = SIZES[size]
    torch.manual_seed(20261129)
    clip = CLIPModel(CLIPConfig(
        text_config={"hidden_size": tw, "intermediate_size": 2 * tw, "num_hidden_layers": layers, "num_attention_heads": th, "vocab_size": words,
                     "max_position_embeddings": tokens, "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": 1},
        vision_config={"hidden_size": vw, "intermediate_size": 2 * vw, "num_hidden_layers": layers, "num_attention_heads": vh, "image_size": picture, "patch_size": patch},
        projection_dim=tw, attn_implementation=attention))
    bert = BertModel(BertConfig(vocab_size=words, hidden_size=tw, num_hidden_layers=layers, num_attention_heads=th, intermediate_size=2 * tw,
                                max_position_embeddings=tokens, attn_implementation=attention), add_pooling_layer=False)
    vit = ViTModel(ViTConfig(hidden_size=vw, num_hidden_layers=layers, num_attention_heads=vh, intermediate_size=2 * vw, image_size=picture, patch_size=patch,
                             attn_implementation=attention), add_pooling_layer=False)
    for model in (clip, bert, vit):
        for name, parameter in model.named_parameters():  # as trained ones look: no zero bias, no unit norm
            with torch.no_grad():
                parameter.add_(0.02 * torch.randn_like(parameter))
                if parameter.dim() == 2 and "embed" not in name:
                    parameter.mul_(2)
    ids = torch.randint(1, words - 2, (2, tokens))
    ids[:, 0], ids[0, tokens // 2:], ids[1, -1] = words - 2, words - 1, words - 1
    mask = torch.ones_like(ids)
    mask[0, tokens // 2:] = 0
    pixels = torch.randn(2, 3, picture, picture)
    return {"clip_text": (ClipText(clip), {"input_ids": ids}), "clip_image": (ClipImage(clip), {"pixel_values": pixels}),
            "bert": (Bert(bert), {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}), "vit": (Vit(vit), {"pixel_values": pixels})}


def written(module, inputs, exporter, opset, path):
    axes = {name: {0: "batch"} for name in [*inputs, "output"]}
    common = {"input_names": list(inputs), "output_names": ["output"], "opset_version": opset}
    if exporter == "script":
        torch.onnx.export(module, tuple(inputs.values()), str(path), dynamo=False, dynamic_axes=axes, **common)
    else:
        batch = torch.export.Dim("batch", min=1, max=4096)
        shapes = {name: {0: batch} for name in inputs}
        torch.onnx.export(module, tuple(inputs.values()), str(path), dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False, **common)


def lean(path):
    """The file without what readers ignore: names of Python frames, and types of inner values."""
    model = onnx.load(path)
    model.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return model.SerializeToString(deterministic=True)


def files(size, scratch, only="*"):
    for attention, precision in itertools.product(("eager", "sdpa"), ("f32", "f16")):
        for name, (module, inputs) in models(size, attention).items():
            module.eval()
            if precision == "f16":
                module.half()
                inputs = {n: t.half() if t.is_floating_point() else t for n, t in inputs.items()}
            for exporter, opset in [(e, o) for e, opsets in OPSETS.items() for o in opsets]:
                label = f"{name}-{exporter}-{precision}-{attention}-{opset}.onnx"
                if not fnmatch(label, only):
                    continue
                try:
                    with torch.no_grad():
                        written(module, inputs, exporter, opset, scratch / label)
                except Exception as error:  # noqa: BLE001: what the exporter itself refuses is no fixture
                    print(f"{label}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
                    continue
                data = lean(scratch / label)
                (scratch / label).unlink()
                yield label, data


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=SIZES)
    parser.add_argument("--only", default="*", help="a pattern of file names, with --sizes")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    if args.sizes:
        for size in args.sizes:
            folder = args.out / size
            folder.mkdir(parents=True, exist_ok=True)
            for label, data in files(size, folder, args.only):
                (folder / label).write_bytes(data)
        return
    scratch = args.out.parent
    # Files of one model share their weights: the dictionary spans them all.
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for label, data in sorted(files("tiny", scratch), key=lambda f: (f[0].split("-")[0], f[0].split("-")[2], f[0])):
            member = tarfile.TarInfo(label)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    args.out.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
