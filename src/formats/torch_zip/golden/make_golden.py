"""Writes state_dict.pth, the reader's independent truth: what torch.save (2.15.0) really writes. Run: python make_golden.py"""
import collections
import torch

base = torch.arange(24, dtype=torch.float32)
state = collections.OrderedDict(
    f64=torch.tensor([0.1, -2.5], dtype=torch.float64),
    f16=torch.tensor([[1.0, 65504.0], [-0.5, 0.0]], dtype=torch.float16),
    bf16=torch.tensor([1.0, 3.140625], dtype=torch.bfloat16),
    i64=torch.tensor([-(2**62), 7]),
    i32=torch.tensor([[[-5]]], dtype=torch.int32),
    i8=torch.tensor([-128, 127], dtype=torch.int8),
    u8=torch.tensor([0, 255], dtype=torch.uint8),
    flag=torch.tensor([True, False, True]),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    shared=base,
    tail=base[12:].reshape(3, 4),
)
state._metadata = collections.OrderedDict({"": {"version": 1}})
torch.save(
    {
        "state": state,
        "shape": base.reshape(2, 12).shape,
        "dtype": torch.float8_e4m3fn,
        "plain": [None, True, False, 0, 255, 256, 65535, 65536, -1, 2**31, -(2**40), 2**63 - 1, 0.1, "é\n", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}],
        3: "int key",
    },
    "state_dict.pth",
)
