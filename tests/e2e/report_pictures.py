#!/usr/bin/env python3
"""The pictures of a report that the README and the guides show: report_pictures.py REPORT.html OUT_DIR. Also says how soon the page was ready.

Made with: octet profile A --against B --against C --html report.html; build/venv/bin/python tests/e2e/report_pictures.py report.html docs/images
"""
import argparse
import io
from pathlib import Path

from browser import Page, browser
from PIL import Image

WIDTH, SCALE = 1200, 1.5  # legible where the picture is shown at two thirds


def save(tab, path, clip=None):
    """A palette PNG: charts have few colours."""
    picture = Image.open(io.BytesIO(tab.screenshot(clip=clip))).convert("RGB")
    picture.quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {picture.width}x{picture.height}, {path.stat().st_size / 1024:.0f} KiB")


def show_section(tab, name, height):
    tab.evaluate("id => document.getElementById(id).scrollIntoView()", name)
    tab.set_viewport_size({"width": WIDTH, "height": height})
    tab.wait_for_timeout(300)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layer", default="layers.11.mlp.fc1", help="the step that the picture of the graphs shows")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for scheme in ("light", "dark"):
            p = Page(opened, args.report.resolve(), scheme=scheme, width=WIDTH, height=760, scale=SCALE)
            print(f"{scheme}: ready after {p.ready_ms():.0f} ms, {args.report.stat().st_size / 1e6:.2f} MB, errors {p.errors}")
            save(p.tab, args.out / f"report-{scheme}.png")
            show_section(p.tab, "time", 920)
            save(p.tab, args.out / f"report-time-{scheme}.png")
            p.tab.fill("#graph-search", args.layer)
            p.tab.keyboard.press("Enter")
            p.tab.wait_for_selector("#sources")
            p.tab.fill("#graph-search", "")
            p.tab.evaluate("document.activeElement.blur()")
            show_section(p.tab, "graph", 860)
            save(p.tab, args.out / f"report-graph-{scheme}.png")
            p.close()


if __name__ == "__main__":
    main()
