#!/usr/bin/env python3
"""The man page and the completions that octet prints: every subcommand and option is in them, and the shells accept them."""
import re
import shutil
import subprocess

from common import running

SHELLS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-config", "-n"]}
TRY = """source "$1"; shift; compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _octet; printf '%s\\n' "${COMPREPLY[@]}" """


def completions(script, *words):
    done = subprocess.run(["bash", "-c", TRY, "bash", str(script), *words], capture_output=True, text=True, check=True)
    return [w for w in done.stdout.split("\n") if w]


with running(__doc__) as run:
    commands = re.findall(r"^  ([a-z-]+) {2,}", run.octet("--help").stdout.split("Subcommands:")[1], re.M)
    run.check(len(commands) > 5, f"subcommands: {' '.join(commands)}")
    options = {c: re.findall(r"(?:^  |,)(--[A-Za-z0-9-]+)", run.octet(c, "--help").stdout, re.M) for c in commands}
    scripts = {}
    for shell, check in SHELLS.items():
        text = run.octet(f"--print-completion={shell}").stdout
        scripts[shell] = run.scratch / f"octet.{shell}"
        scripts[shell].write_text(text)
        missing = [f"{c} {o}" for c in commands for o in options[c] if (f"-l {o[2:]} " if shell == "fish" else o) not in text]
        run.equal(f"{shell}: options left out", missing, [])
        if shutil.which(shell):
            run.equal(f"{shell} accepts it", subprocess.run([*check, str(scripts[shell])], capture_output=True, text=True).stderr, "")
    bash = scripts["bash"]
    run.equal("subcommands", [w for w in completions(bash, "octet", "") if not w.startswith("-")], commands)
    run.equal("options of a subcommand", set(options["compare"]) - set(completions(bash, "octet", "compare", "a.plan", "--")), set())
    run.equal("words of an option", completions(bash, "octet", "export", "--precision", "fp"), ["fp8", "fp16", "fp32"])
    run.equal("words after =", completions(bash, "octet", "run", "--reference", "=", "s"), ["steps"])
    run.equal("files are left to the shell", completions(bash, "octet", "exec", "--onnx", ""), [])

    page = run.scratch / "octet.1"
    page.write_text(run.octet("--print-man").stdout)
    text = page.read_text().replace("\\-", "-")
    run.equal("man page: options left out", [f"{c} {o}" for c in commands for o in options[c] if o not in text], [])
    run.check(".SH EXIT STATUS" in text and "OCTET_ISA" in text, "exit codes and environment are in it")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(page)], capture_output=True, text=True)
        run.equal("groff accepts it", (done.returncode, done.stderr), (0, ""))
