#!/usr/bin/env python3
"""Compares octet's CLIP tokenizer with transformers' CLIPTokenizer: every Unicode character, mixtures, special tokens.

Needs: pip install transformers==5.14.1 (no torch).
  tokenizer_vs_hf.py --tool build/release/tokenize --model models/clip-cifar10-fp8 [--seed N]
  tokenizer_vs_hf.py --model models/clip-cifar10-fp8 --write-golden tests/golden/clip_tokens.json
"""
import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import CLIPTokenizer  # noqa: E402

NO_LIMIT = 1 << 30
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def octet_ids(tool, model, texts, limit=NO_LIMIT):
    data = [t.encode() for t in texts]
    request = b"".join(struct.pack("<I", len(d)) + d for d in data)
    answer = subprocess.run([tool, model, str(limit)], input=request, stdout=subprocess.PIPE, check=True).stdout
    out, at = [], 0
    for _ in data:
        (count,) = struct.unpack_from("<I", answer, at)
        out.append(list(struct.unpack_from(f"<{count}i", answer, at + 4)))
        at += 4 + 4 * count
    assert at == len(answer)
    return out


def oracle_ids(tokenizer, texts):
    return [e.ids for e in tokenizer.backend_tokenizer.encode_batch_fast(texts)]


class Comparison:
    def __init__(self, tool, model):
        self.tool, self.model = tool, model
        self.oracle = CLIPTokenizer.from_pretrained(model)
        self.failures = self.count = 0

    def check(self, name, texts, expected=None, limit=NO_LIMIT):
        start = time.time()
        expected = expected or oracle_ids(self.oracle, texts)
        actual = octet_ids(self.tool, self.model, texts, limit)
        wrong = [i for i in range(len(texts)) if expected[i] != actual[i]]
        self.count += len(texts)
        self.failures += len(wrong)
        print(f"{name}: {len(texts)} texts, {len(wrong)} differ, {time.time() - start:.1f} s", flush=True)
        for i in wrong[:5]:
            print(f"  {ascii(texts[i])[:300]}\n    expected {expected[i][:60]}\n    actual   {actual[i][:60]}")


def chunks(parts, size):
    return [" ".join(parts[i:i + size]) for i in range(0, len(parts), size)]


MARKS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u0316\u0323\u0327\u0328\u0331\u0338\u0345\u05b0\u05b4\u093c\u094d\u3099\u309a" \
        "\u1ab0\u1abf\u1df6\u1e4ec\u08d3\u0f71\u0f72\u0f74"
BASES = "aAeEoOuUiIsSzZcCnN<>=ΑαΩωΥυΗηкиКИבשकनரகがはカハ\u1100\u1112\u1161\u1175\u11a7\u11a8\u11c2\uac00\uac01\ud7a3\u0b47\u0bc6\u1025" \
        "\U00011935\U00011930\U00011099\U0001109b\U000110ba\U0001d157\U0001d165\u2add\u212b\u2126\u212a"
SPACES = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
           (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAE00), (0xFB00, 0xFFFF),
           (0x10000, 0x10FFFF), (0x1F300, 0x1FAFF)]
TAILS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "''s", "'", "’s", "s's", "'ſ", "'l", "'r"]
SPECIAL = ["<|startoftext|>", "<|endoftext|>", "<|STARTOFTEXT|>", "<|EndOfText|>", "<|endoftext|", "|endoftext|>", "<|", "|>", "<|endoftext|>\u0338",
           "<|ENDOFTEXT|>!!", "!<|ENDOFTEXT|>", "<|startoftext|><|endoftext|>"]
WORDS = "a photo of the big small cat dog airplane automobile deer frog horse ship truck bird International photography isn't 2024 3.14 #tag".split()
EMOJI = ["😀", "👩‍👩‍👧‍👦", "👍🏽", "🏳️‍🌈", "🇫🇷", "❤️", "☕", "1️⃣"]


def mixed(rng):
    def piece():
        kind = rng.randrange(8)
        if kind == 0:
            return rng.choice(WORDS)
        if kind == 1:
            first, last = rng.choice(SCRIPTS)
            return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 6)))
        if kind == 2:
            return rng.choice(BASES) + "".join(rng.choice(MARKS) for _ in range(rng.randint(0, 5)))
        if kind == 3:
            return rng.choice(TAILS)
        if kind == 4:
            return rng.choice(SPECIAL)
        if kind == 5:
            return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 3)))
        if kind == 6:
            return rng.choice(EMOJI)
        return "".join(rng.choice("0123456789!?.,;:-_()[]{}'\"<>|/\\@#$%^&*+=~`") for _ in range(rng.randint(1, 5)))
    return "".join(piece() + rng.choice(["", "", " "]) for _ in range(rng.randint(1, 8)))


def safe(text):
    return "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)


def golden_texts(rng):
    fixed = ["", " ", "a photo of a cat", "A Photo Of A CAT!", "don't you've WE'LL it's I'm they'd", "''s 's's", "12345 3.14", "İstanbul ǅ ΑΣΑΣ",
             "café cafe\u0301 CAFE\u0301", "<|startoftext|>hello<|endoftext|>world", "<|ENDOFTEXT|>", "<|endoftext|>\u0338", "  many \t\n spaces\u3000here\x85",
             "한국어 \u1112\u1161\u11ab", "日本語の写真", "नमस्ते", "שָׁלוֹם", "مرحبا بالعالم", "สวัสดี", "x\u0000y", "\u200bzero\u2060width\ufeff", "ſtraße ẞ",
             "²³½ⅷ①", "a" * 50, "-" * 30, "\u1c89\u1c8a \ua7cb \U00010d50", "q\u0323\u0307 q\u0307\u0323", "a\u1df6\u0301", "K Å Ω", "e\u0301" * 8] + EMOJI + SPECIAL
    return fixed + [safe(mixed(rng)) for _ in range(16)]


def variants(model, root):
    """Copies of the vocabulary with the configuration files that published CLIP checkpoints carry."""
    bos, eos = "<|startoftext|>", "<|endoftext|>"
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    obj = lambda c: {"content": c, **flags}  # noqa: E731
    old = {"bos_token": {"__type": "AddedToken", **obj(bos)}, "eos_token": {"__type": "AddedToken", **obj(eos)},
           "unk_token": {"__type": "AddedToken", **obj(eos)}, "pad_token": eos}
    names = {"bos_token": bos, "eos_token": eos, "unk_token": eos, "pad_token": eos}
    listed = {"49406": {**obj(bos), "special": True}, "49407": {**obj(eos), "special": True}}
    map_ = {"bos_token": obj(bos), "eos_token": obj(eos), "unk_token": obj(eos), "pad_token": eos}
    cases = {"objects": (old, map_), "names": (names, None), "map_only": (None, map_), "listed": ({**names, "added_tokens_decoder": listed}, map_),
             "pad_is_bang": ({**names, "pad_token": "!"}, None), "map_wins": (old, names)}
    for name, (config, special_map) in cases.items():
        folder = os.path.join(root, name)
        os.makedirs(folder)
        for file in ("vocab.json", "merges.txt", "config.json"):
            shutil.copy(os.path.join(model, file), folder)
        for file, content in (("tokenizer_config.json", config), ("special_tokens_map.json", special_map)):
            if content is not None:
                with open(os.path.join(folder, file), "w") as f:
                    json.dump(content, f)
        yield name, folder
    folder = os.path.join(root, "saved")  # tokenizer.json, as transformers 5 saves it
    CLIPTokenizer.from_pretrained(model).save_pretrained(folder)
    shutil.copy(os.path.join(model, "config.json"), folder)
    yield "saved", folder


def compare(args, rng):
    run = Comparison(args.tool, args.model)
    run.check("every character alone", chunks([chr(c) for c in SCALARS], 64))
    run.check("every character between letters", chunks([f"a{chr(c)}b" for c in SCALARS], 64))
    run.check("every character after a base, before marks", chunks([f"e{chr(c)}\u0301\u0323" for c in SCALARS], 64))
    run.check("every base and mark", chunks([b + m for b in BASES for m in MARKS] + [b + c for b in BASES for c in BASES], 16))
    run.check("mark sequences", ["".join(rng.choice(BASES + MARKS + MARKS) for _ in range(rng.randint(1, 20))) for _ in range(20000)])
    texts = [safe(mixed(rng)) for _ in range(30000)]
    run.check("mixed", texts)
    run.check("fixed", golden_texts(rng))
    run.check("runs of spaces", [a + x + y + "b" for a in ("", "a") for x in SPACES for y in SPACES])
    letters = "abcdefghijklmnopqrstuvwxyz"
    run.check("long words", ["a" * 100000, "ab" * 40000, "!" * 50000, "é" * 30000, "e" + "\u0301" * 5000 + "\u0323" * 5000,
                             "".join(rng.choice(letters) for _ in range(100000)), "the" * 30000] +
              ["".join(rng.choice(letters) for _ in range(rng.randint(5, 60))) for _ in range(10000)])
    for limit in (2, 3, 10, 77):
        run.check(f"truncation to {limit}", texts[:2000], run.oracle(texts[:2000], truncation=True, max_length=limit)["input_ids"], limit)
    with tempfile.TemporaryDirectory() as root:
        for name, folder in variants(args.model, root):
            other = Comparison(args.tool, folder)
            other.check(f"configuration `{name}`", texts[:3000] + golden_texts(rng))
            run.failures += other.failures
            run.count += other.count
    print(f"{run.count} texts, {run.failures} differ")
    return 1 if run.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool")
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--write-golden", metavar="FILE")
    args = parser.parse_args()
    if args.write_golden:
        texts = golden_texts(random.Random(1))
        ids = oracle_ids(CLIPTokenizer.from_pretrained(args.model), texts)
        with open(args.write_golden, "w") as f:
            f.write("[\n" + ",\n".join(json.dumps({"text": t, "ids": i}) for t, i in zip(texts, ids)) + "\n]\n")
        return 0
    print(f"seed {args.seed}")
    return compare(args, random.Random(args.seed))


if __name__ == "__main__":
    sys.exit(main())
