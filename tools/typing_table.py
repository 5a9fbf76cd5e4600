#!/usr/bin/env python3
"""docs/typing.md from the head comments of src/ops/*.h: every type, shape and value rule with the id that `octet check` cites.

  typing_table.py           writes the page
  typing_table.py --check   fails if the page is not what would be written, or if a source cites an id that no comment explains
"""
import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "typing.md"
HEAD = """# Type rules

Every rule that `octet check` cites, by operator: T are rules of types, S of shapes, A of attributes, Q of quantization. They follow the
strong typing of TensorRT: operands of one type, nothing promoted, types change at Cast, QuantizeLinear and DequantizeLinear alone.
One more rule, `size`, holds for every operator: no output has more than 2^40 bytes. Where octet and TensorRT differ, and why:
`decisions/0008-typing-and-tensorrt.md`.

This page is written by `tools/typing_table.py` from the comments in `src/ops`; a test compares them.

| operator | rule | what must hold |
|---|---|---|
"""
# A comment directly above the struct that it describes.
DESCRIBED = re.compile(r"((?:^//[^\n]*\n)+)(?:template <[^\n]*>\n)?struct (\w+) \{(.*?)^\};", re.M | re.S)
RULE = re.compile(r"\b([TSAQ]\d(?:, [TSAQ]\d)*)(:| as )")


def rules_of(comment):
    """{id: text} of a comment in which each rule is one sentence: `T1: x is a float.` or `S1, A1 as Other.`"""
    text = " ".join(line.removeprefix("//").strip() for line in comment.splitlines())
    marks, found = list(RULE.finditer(text)), {}
    for mark, after in zip(marks, marks[1:] + [None]):
        rest = text[mark.end():after.start() if after else len(text)].strip()
        sentence = re.split(r"\.(?:\s|$)", rest, maxsplit=1)[0]
        for one in mark.group(1).split(", "):
            found[one] = sentence if mark.group(2) == ":" else f"as {sentence}"
    return found


def operators(header):
    """[(names of the operators, {id: text})] of a header's text, in its order."""
    for comment, struct, body in DESCRIBED.findall(header):
        if "kName" not in body:
            continue
        literal = re.search(r'kName = "(\w+)";', body)
        names = [literal.group(1)] if literal else re.findall(rf"^using (\w+) = {struct}<", header, re.M)
        yield names, rules_of(comment)


def table():
    """[(operators, id, text)] sorted by operator, and the ids that a source cites but its header does not explain."""
    rows, unexplained = [], []
    for header in sorted((ROOT / "src/ops").glob("*.h")):
        described = list(operators(header.read_text()))
        rows += [(", ".join(names), rule, text) for names, rules in described for rule, text in sorted(rules.items(), key=lambda r: "TSAQ".index(r[0][0]))]
        source = header.with_suffix(".cpp")
        cited = set(re.findall(r'"([TSAQ]\d)"', source.read_text())) if source.exists() else set()
        unexplained += [f"{source.name}: {rule}" for rule in sorted(cited - {r for _, rules in described for r in rules})]
    return sorted(rows, key=lambda row: row[0]), unexplained


def page():
    return HEAD + "".join(f"| {ops} | {rule} | {text.replace('|', chr(92) + '|')} |\n" for ops, rule, text in table()[0])


def explained():
    """{(operator, id)} of the page as it is committed."""
    rows = re.findall(r"^\| ([\w, ]+) \| ([TSAQ]\d) \|", PAGE.read_text(), re.M)
    return {(op, rule) for ops, rule in rows for op in ops.split(", ")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    unexplained = table()[1]
    if unexplained:
        sys.exit("cited, but not explained in the header: " + ", ".join(unexplained))
    if not parser.parse_args().check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/typing.md is not what src/ops says: run tools/typing_table.py")
    print(f"{len(table()[0])} rules")
