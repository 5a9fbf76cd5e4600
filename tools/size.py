#!/usr/bin/env python3
"""File and function lengths of the C++, C, Python and shell sources against the limits of the house.

  files: hard limit 500 lines, 90 % under 400; functions: hard limit 80 lines, 90 % under 40. What may exceed a hard limit, and why,
  stands in tools/size_allow.txt: PATH or PATH:FUNCTION, then the reason. size.py [--quiet] [--longest N]
"""
import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE_HARD, FILE_P90, FUNCTION_HARD, FUNCTION_P90 = 500, 400, 80, 40
# Comments and literals become blanks, so that braces in them do not count.
LITERALS = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
NOT_FUNCTIONS = re.compile(r"\b(namespace|class|struct|union|enum|extern|if|for|while|switch|catch|do|else|return)\b[^()]*$|=\s*$|,\s*$")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def is_function(head):
    """Whether the text between the last ; { } and an opening brace heads a function definition."""
    head = re.sub(r"^\s*#.*$", "", head, flags=re.M)
    head = re.sub(r"\btemplate\s*<[^{}]*?>\s*(?=[A-Za-z\[])", "", head).strip()
    if "(" not in head or re.match(r"(if|for|while|switch|catch|namespace|enum|extern)\b", head):
        return False
    if re.match(r"(class|struct|union)\b", head) and not head.rstrip().endswith(")"):
        return False
    return not NOT_FUNCTIONS.search(head) and "=" not in head.split("(")[0].replace("operator=", "").replace("==", "")


def function_name(head):
    match = re.search(r"([~\w:]+|operator\s*\S+)\s*\(", head)
    return match.group(1) if match else "?"


def cpp_functions(text):
    """(name, lines) of each outermost function: from its head to its closing brace."""
    text = LITERALS.sub(blank, text)
    found, depth, inside, head_start = [], 0, None, 0
    for at in (m.start() for m in re.finditer(r"[{};]", text)):
        if text[at] == "{":
            head = text[head_start:at]
            if inside is None and is_function(head):
                inside = (depth, function_name(head.strip()), text.count("\n", 0, at - len(head.lstrip()) ) + 1)
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if inside is not None and depth == inside[0]:
                found.append((inside[1], text.count("\n", 0, at) + 1 - inside[2] + 1))
                inside = None
        if inside is None:
            head_start = at + 1
    return found


def python_functions(text):
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [(n.name, n.end_lineno - n.lineno + 1) for n in nodes]


def shell_functions(text):
    return [(m.group(1), m.group(0).count("\n") + 1) for m in re.finditer(r"^(\w+)\(\) \{\n.*?^\}", text, re.M | re.S)]


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in sorted(set(listed)):
        path = ROOT / name
        kind = "sh" if name in ("dev", ".ci/run") else path.suffix
        if path.is_file() and kind in (".h", ".cpp", ".c", ".py", ".cu", "sh"):
            yield name, path.read_text(), {".py": python_functions, "sh": shell_functions}.get(kind, cpp_functions)


def allowed():
    entries = {}
    for line in (ROOT / "tools" / "size_allow.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, _, reason = line.partition(" ")
            assert reason.strip(), f"size_allow.txt: {key} needs a reason"
            entries[key] = reason.strip()
    return entries


def judge(what, sizes, hard, p90, allow):
    """Problems of [(key, lines)], and a line of statistics."""
    lengths = sorted(n for _, n in sizes)
    at = lambda p: lengths[min(len(lengths) - 1, int(p * len(lengths)))]  # noqa: E731
    problems = [f"{key}: {n} lines, hard limit {hard}" for key, n in sizes if n > hard and key not in allow]
    if at(0.9) >= p90:
        problems.append(f"{what}: 90th percentile {at(0.9)} lines, limit {p90}")
    return problems, f"{what}: {len(lengths)}, {sum(lengths)} lines; median {at(0.5)}, p90 {at(0.9)}, longest {lengths[-1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiet", action="store_true", help="only problems and totals")
    parser.add_argument("--longest", type=int, default=10)
    args = parser.parse_args()
    files, functions = [], []
    for name, text, find in sources():
        files.append((name, text.count("\n")))
        functions += [(f"{name}:{function}", lines) for function, lines in find(text)]
    allow = allowed()
    problems = []
    for what, sizes, hard, p90 in (("files", files, FILE_HARD, FILE_P90), ("functions", functions, FUNCTION_HARD, FUNCTION_P90)):
        bad, line = judge(what, sizes, hard, p90, allow)
        problems += bad
        print(line)
        if not args.quiet:
            for key, lines in sorted(sizes, key=lambda s: -s[1])[:args.longest]:
                print(f"  {lines:4} {key}")
    stale = [k for k in allow if dict(files + functions).get(k, 0) <= (FUNCTION_HARD if ":" in k else FILE_HARD)]
    problems += [f"tools/size_allow.txt: {k} is no longer too long" for k in stale]
    print("\n".join(problems) if problems else "size: within the limits")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
