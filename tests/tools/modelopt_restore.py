#!/usr/bin/env python3
"""Does NVIDIA ModelOpt restore a checkpoint that octet quantize wrote? Needs torch: `./dev test all` runs it, in the
environment of `./dev setup modelopt`.  modelopt_restore.py CHECKPOINT
Every quantizer must be there, with its switch, format and range; the model must compute, close to itself without quantizers."""
import sys

import modelopt.torch.opt as mto
import modelopt.torch.quantization as mtq
import torch
from modelopt.torch.quantization.nn import TensorQuantizer
from modelopt.torch.quantization.plugins.diffusion.diffusers import _QuantAttention
from safetensors.torch import load_file
from transformers import CLIPModel
from transformers.models.clip.modeling_clip import CLIPAttention

folder = sys.argv[1]
state = torch.load(f"{folder}/modelopt_state.pth", weights_only=True)
expected = state["modelopt_state_dict"][-1][1]["metadata"]["quantizer_state"]
tensors = load_file(f"{folder}/model.safetensors")

mtq.register(CLIPAttention, _QuantAttention)
mto.enable_huggingface_checkpointing()
model = CLIPModel.from_pretrained(folder, attn_implementation="sdpa").float().eval()
found = {name: q for name, q in model.named_modules() if isinstance(q, TensorQuantizer)}
assert set(found) == set(expected), sorted(set(found) ^ set(expected))[:5]
for name, q in found.items():
    assert q.is_enabled != expected[name]["_disabled"], name
    if q.is_enabled:
        assert q.num_bits == (4, 3) and q.axis == expected[name]["_axis"], name
        assert torch.equal(q._amax.float(), tensors[f"{name}._amax"].float()), name

size, eos = model.config.vision_config.image_size, model.config.text_config.eos_token_id
ids = torch.full((2, model.config.text_config.max_position_embeddings), eos)
ids[:, :5] = torch.tensor([[eos - 1, 320, 1125, 539, 320], [eos - 1, 320, 2368, 1000, 2000]])
pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def embeddings():
    with torch.no_grad():
        out = model(input_ids=ids, pixel_values=pixels)
    return torch.cat([out.text_embeds, out.image_embeds])


# Noise is no picture: what ModelOpt clips or rounds of it costs more than of a real one, but a wrong range costs far more.
quantized = embeddings()
for q in found.values():
    q.disable()
cosine = torch.nn.functional.cosine_similarity(quantized, embeddings())
assert not torch.equal(quantized, embeddings()) and cosine.min() > 0.97, cosine
enabled = sum(not expected[name]["_disabled"] for name in found)
print(f"{folder}: {len(found)} quantizers restored, {enabled} on; lowest cosine to the model without them {cosine.min():.5f}")
