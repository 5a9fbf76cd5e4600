#!/usr/bin/env python3
"""What NVIDIA ModelOpt really writes for CLIP: checkpoints with its quantizers, its raw FP8 ONNX of both towers, its unified export.
`./dev setup modelopt` makes the environment (tests/requirements-modelopt.txt) and keeps each version of ModelOpt in a folder of its own.

  modelopt_fixtures.py OUT [--sizes tiny b32 ...] [--cases attention ...]     models of random weights, two layers a tower
  modelopt_fixtures.py OUT --checkpoint DIR                                   the raw ONNX of a checkpoint that has quantizers
  ... --states-only                                                           no ONNX: all that versions before 0.44 can do here
  ... --pack FILE.tar.xz                                                      OUT as one file, the same bytes for the same content

OUT/SIZE/CASE then holds config.json, model.safetensors, modelopt_state.pth, text_raw.onnx, image_raw.onnx (and unified/), and
expected.npz: ids, pixels and, for both towers, PyTorch's embeddings without and with fake quantization."""
import argparse
import copy
import importlib
import importlib.metadata
import lzma
import math
import sys
import tarfile
from contextlib import contextmanager
from pathlib import Path

import torch

# ModelOpt before 0.37 looks for these where torch no longer keeps them; later versions ask whether they are there.
if importlib.metadata.version("nvidia-modelopt") < "0.37":
    for old in ("_globals", "_type_utils", "symbolic_helper", "symbolic_opset14", "_internal.jit_utils", "_internal.registration"):
        name = f"torch.onnx.{old}"
        sys.modules[name] = importlib.import_module("torch.onnx._internal.torchscript_exporter." + old.split(".")[-1])
        setattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2], sys.modules[name])

import modelopt
import modelopt.torch.opt as mto
import modelopt.torch.quantization as mtq
import numpy as np
from modelopt.torch.quantization.nn import QuantModuleRegistry, TensorQuantizer
from transformers import CLIPConfig, CLIPModel
from transformers.models.clip.modeling_clip import CLIPAttention

try:
    from modelopt.torch.quantization.plugins.diffusion.diffusers import _QuantAttention
except ImportError:  # before 0.42
    from modelopt.torch.quantization.plugins.diffusers import _QuantAttention

# size: text (width, heads), vision (width, heads, picture, patch), activation, projection, ids, tokens
SIZES = {
    "tiny": ((32, 2), (48, 3, 16, 4), "quick_gelu", 24, 96, 12),
    "tiny80": ((80, 1), (80, 1, 8, 4), "gelu", 16, 64, 8),
    "b32": ((512, 8), (768, 12, 224, 32), "quick_gelu", 512, 2048, 77),
    "l14": ((768, 12), (1024, 16, 224, 14), "quick_gelu", 768, 2048, 77),
    "h14": ((1024, 16), (1280, 16, 224, 14), "gelu", 1024, 2048, 77),
    "l14-336": ((768, 12), (1024, 16, 336, 14), "quick_gelu", 768, 2048, 77),
}
E4M3 = {"num_bits": (4, 3), "axis": None}
HALF = {**E4M3, "trt_high_precision_dtype": "Half"}
OFF = {"quantizer_name": "*", "enable": False}


def rule(pattern, cfg=None, **more):
    return {"quantizer_name": pattern, "enable": cfg is not None, **({"cfg": cfg} if cfg else {}), **more}


LINEARS = [OFF, *(rule(f"*{m}.{q}_quantizer", E4M3) for q in ("weight", "input") for m in (*(f"{p}_proj" for p in ("q", "k", "v", "out")), "fc1", "fc2", "text_projection", "visual_projection"))]
ATTENTION = [*LINEARS, *(rule(f"*{which}_quantizer", HALF) for which in ("q_bmm", "k_bmm", "v_bmm", "bmm2_output"))]
WIDE = [OFF, rule("*weight_quantizer", E4M3), rule("*input_quantizer", E4M3), *ATTENTION[len(LINEARS):]]
PLUGIN = [*LINEARS, *(rule(f"*{which}_bmm_quantizer", HALF) for which in ("q", "k", "v", "p"))]
PER_CHANNEL = [one if "weight" not in one["quantizer_name"] else {**one, "cfg": {"num_bits": (4, 3), "axis": 0}} for one in ATTENTION]
SOFTMAX = [*ATTENTION, rule("*softmax_quantizer", HALF)]  # as NVIDIA's diffusion examples say; it never sees a tensor, so has no range
PARTLY = [*ATTENTION, rule("*layers.1.self_attn.v_bmm_quantizer")]  # one layer's attention is half quantized

# case: rules, diffusers' attention quantizers?, dtype
CASES = {
    "attention": (ATTENTION, True, torch.float16),
    "linear": (LINEARS, True, torch.float16),
    "wide": (WIDE, True, torch.float16),
    "plugin": (PLUGIN, False, torch.float16),
    "per-channel": (PER_CHANNEL, True, torch.float16),
    "bf16": (ATTENTION, True, torch.bfloat16),
    "partly": (PARTLY, True, torch.float16),
    "softmax": (SOFTMAX, True, torch.float16),
}
# ModelOpt 0.47 cannot write these: FP8 weights by several scales, and FP8 in a BF16 model.
NOT_IN_ONNX = ("per-channel", "bf16")


@contextmanager
def attention_of(diffusers):
    """ModelOpt gives CLIPAttention either diffusers' quantizers, if registered, or those of its Hugging Face plug-in."""
    if diffusers:
        mtq.register(CLIPAttention, _QuantAttention)
    try:
        yield
    finally:
        if CLIPAttention in QuantModuleRegistry:  # the plug-in registers it by itself
            mtq.unregister(CLIPAttention)


def configuration(size):
    (text, text_heads), (vision, vision_heads, picture, patch), activation, projection, vocabulary, tokens = SIZES[size]
    tower = lambda width, heads: {"hidden_size": width, "intermediate_size": 4 * width if width > 64 else 2 * width, "num_attention_heads": heads, "num_hidden_layers": 2, "hidden_act": activation}
    special = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    return CLIPConfig(projection_dim=projection, text_config={**tower(text, text_heads), **special, "vocab_size": vocabulary, "max_position_embeddings": tokens, "projection_dim": projection},
                      vision_config={**tower(vision, vision_heads), "image_size": picture, "patch_size": patch, "projection_dim": projection})


def model_of(config, dtype, eager):
    """Weights whose activations look trained: attention has peaks, no LayerNorm is the identity."""
    torch.manual_seed(7)
    config = copy.deepcopy(config)
    config._attn_implementation = "eager" if eager else "sdpa"
    model = CLIPModel(config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name or "layrnorm" in name:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * torch.randn_like(p))
            elif p.dim() >= 2:
                fan_in = p.shape[-1] if "embedding.weight" in name and p.dim() == 2 else p[0].numel()
                gain = 0.5 if "embedding" in name and p.dim() == 2 else (1.6 if "q_proj" in name or "k_proj" in name else 1.0) / math.sqrt(fan_in)
                p.normal_(0, gain)
            elif p.dim() == 1:
                p.normal_(0, 0.05)
    return model.to(dtype).eval()


def batch_of(config, count, seed):
    g = torch.Generator().manual_seed(seed)
    text, vision = config.text_config, config.vision_config
    ids = torch.randint(0, text.vocab_size - 2, (count, text.max_position_embeddings), generator=g)
    for row, end in enumerate(torch.randint(2, text.max_position_embeddings, (count,), generator=g)):
        ids[row, end:] = text.eos_token_id
    ids[:, 0] = text.bos_token_id
    coarse = torch.randn(count, 3, 4, 4, generator=g)
    pixels = torch.nn.functional.interpolate(coarse, size=vision.image_size, mode="bilinear") + 0.3 * torch.randn(count, 3, vision.image_size, vision.image_size, generator=g)
    return ids, pixels


class Text(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.text_model, self.text_projection = clip.text_model, clip.text_projection

    def forward(self, x):
        return self.text_projection(self.text_model(input_ids=x).pooler_output)


class Image(torch.nn.Module):
    def __init__(self, clip):
        super().__init__()
        self.vision_model, self.visual_projection = clip.vision_model, clip.visual_projection

    def forward(self, x):
        return self.visual_projection(self.vision_model(pixel_values=x).pooler_output)


def embeddings(model, ids, pixels):
    with torch.no_grad():
        return Text(model)(ids).float().numpy(), Image(model)(pixels.to(model.dtype)).float().numpy()


def write_raw(model, config, folder, suffix="", dynamic_axes={"x": {0: "batch"}}, weights_dtype="fp16", forgotten=False):
    """ModelOpt's own ONNX of both towers, nothing done to it afterwards. `forgotten`: without what 0.44 and 0.45 want to be told."""
    from modelopt.torch._deploy.utils import OnnxBytes, get_onnx_bytes_and_metadata
    ids, pixels = batch_of(config, 1, 3)
    for module in model.modules():
        if isinstance(module, CLIPAttention) and config._attn_implementation != "eager":
            module.scale = None  # the exporter's symbolic takes no float
            module._disable_fp8_mha = forgotten or not module.q_bmm_quantizer.is_enabled
    for name, tower, x in (("text", Text(model), ids), ("image", Image(model), pixels.to(model.dtype))):
        data, _ = get_onnx_bytes_and_metadata(tower.eval(), (x,), model_name=name, dynamic_axes=dynamic_axes, weights_dtype=weights_dtype)
        OnnxBytes.from_bytes(data).write_to_disk(str(folder), clean_dir=False)
        (folder / f"{name}.onnx").rename(folder / f"{name}_raw{suffix}.onnx")


def write_unified(model, dtype, folder):
    """export_hf_checkpoint fails for CLIP: its trial run gives no pictures, and is for language models alone."""
    import modelopt.torch.export.unified_export_hf as unified
    unified.requantize_resmooth_fused_llm_layers = lambda model: None
    unified.export_hf_checkpoint(model, dtype=dtype, export_dir=str(folder))


def quant_config(rules):
    """The rules as a list, which 0.44 brought; before, a dict of patterns in which later ones win."""
    if tuple(int(n) for n in modelopt.__version__.split(".")[:2]) >= (0, 44):
        return {"quant_cfg": copy.deepcopy(rules), "algorithm": "max"}
    as_dict = {"default": {"enable": False}}
    for one in rules[1:]:
        as_dict[one["quantizer_name"]] = copy.deepcopy(one["cfg"]) if one["enable"] else {"enable": False}
    return {"quant_cfg": as_dict, "algorithm": "max"}


def pack(folder, file):
    tar = tarfile.TarFile(fileobj=lzma.open(file, "wb", preset=9), mode="w", format=tarfile.USTAR_FORMAT)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        info = tarfile.TarInfo(str(path.relative_to(folder)))
        info.size = path.stat().st_size
        with path.open("rb") as data:
            tar.addfile(info, data)
    tar.close()
    tar.fileobj.close()


def make_case(size, case, folder, states_only):
    rules, diffusers, dtype = CASES[case]
    config = configuration(size)
    config._attn_implementation = "sdpa" if diffusers else "eager"
    model = model_of(config, dtype, eager=not diffusers)
    ids, pixels = batch_of(config, 4, 5)
    plain = embeddings(model, ids, pixels)

    def calibrate(m):
        for seed in range(2):
            a, b = batch_of(config, 4, 11 + seed)
            embeddings(m, a, b)

    with attention_of(diffusers):
        model = mtq.quantize(model, quant_config(rules), calibrate)
    fake = plain if states_only else embeddings(model, ids, pixels)  # 0.33 has no fake quantization without a GPU
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    np.savez(folder / "expected.npz", ids=ids.numpy(), pixels=pixels.half().numpy(), text=plain[0], image=plain[1], text_fake=fake[0], image_fake=fake[1])
    on = sum(q.is_enabled for q in model.modules() if isinstance(q, TensorQuantizer))
    if case not in NOT_IN_ONNX and not states_only:
        write_raw(model, config, folder)
        if case == "attention" and size in ("tiny", "tiny80", "b32"):
            write_raw(model, config, folder, "_static", dynamic_axes={})
            if modelopt.__version__ < "0.46":
                write_raw(model, config, folder, "_forgotten", forgotten=True)
            write_raw(model, config, folder, "_unconverted", weights_dtype="fp32")
            write_unified(model, dtype, folder / "unified")  # last: it packs the weights
    print(f"{folder}: {on} quantizers on", flush=True)


def raw_of_checkpoint(checkpoint, folder):
    """Restores it as ModelOpt says, and exports it."""
    folder.mkdir(parents=True, exist_ok=True)
    with attention_of(diffusers=True):
        model = CLIPModel.from_pretrained(checkpoint, attn_implementation="sdpa", dtype=torch.float16).eval()
        on = sum(q.is_enabled for q in model.modules() if isinstance(q, TensorQuantizer))
        write_raw(model, model.config, folder)
    print(f"{folder}: raw ONNX of {checkpoint}, {on} quantizers on", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["tiny"])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--states-only", action="store_true")
    parser.add_argument("--pack", type=Path)
    args = parser.parse_args()
    mto.enable_huggingface_checkpointing()
    print("modelopt", modelopt.__version__, "torch", torch.__version__)
    if args.checkpoint:
        raw_of_checkpoint(args.checkpoint, args.out)
        return
    for size in args.sizes:
        for case in args.cases:
            make_case(size, case, args.out / size / case, args.states_only)
    if args.pack:
        pack(args.out, args.pack)


main()
