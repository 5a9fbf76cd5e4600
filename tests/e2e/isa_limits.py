#!/usr/bin/env python3
"""What octet does where instructions are missing: no vector instruction leaks out of the files that are compiled for them, the whole
machinery runs on an x86-64-v2 CPU (emulated, where qemu-user is installed), and an operating system that refuses AMX is named."""
import ctypes
import errno
import shutil
import subprocess
from pathlib import Path

from common import running

OLDEST = "Nehalem"  # x86-64-v2 and nothing more
ARCH_PRCTL, REQUEST_PERMISSION = 158, 0x1023
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000


class SockFilter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class SockProgram(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(SockFilter))]


def refuse_amx():
    """From here on this process's arch_prctl(ARCH_REQ_XCOMP_PERM) fails with EPERM, as under a container's seccomp profile."""
    load, equal, give = 0x20, 0x15, 0x06
    rules = (SockFilter * 6)(SockFilter(load, 0, 0, 0), SockFilter(equal, 0, 3, ARCH_PRCTL), SockFilter(load, 0, 0, 16), SockFilter(equal, 0, 1, REQUEST_PERMISSION),
                             SockFilter(give, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM), SockFilter(give, 0, 0, SECCOMP_RET_ALLOW))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(SockProgram(6, rules)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")


def check_amx_refused(run, plan):
    flags = next((line.split() for line in open("/proc/cpuinfo") if line.startswith("flags")), [])
    if "amx_bf16" not in flags:
        return run.check(True, "no AMX here: what its refusal says is not tested")
    forced = run.octet("exec", f"--loadEngine={plan}", "--skipInference", code=None, env={"OCTET_ISA": "amx"}, preexec_fn=refuse_amx)
    run.check(forced.returncode == 2 and "operating system refuses" in forced.stderr and "ARCH_REQ_XCOMP_PERM" in forced.stderr,
              f"AMX forced and refused: exit {forced.returncode}: {forced.stderr.splitlines()[0]}")
    free = run.octet("exec", f"--loadEngine={plan}", "--explain", "--device=cpu", "--iterations=1", "--duration=0", "--warmUp=0", preexec_fn=refuse_amx).stdout
    run.check("amx:" in free and "operating system refuses" in free and "PASSED" in free, "AMX refused, not forced: the engine runs without it and says why")


def check_objects(run, build):
    """The linker keeps one copy of an inline function: none may come from a file compiled for a newer CPU than the baseline."""
    nm = shutil.which("nm")
    objects = [path for path in Path(build, "CMakeFiles").rglob("*.cpp.o") if path.name.split(".")[0].endswith(("_avx2", "_avx512", "_avx512bf16", "_amx"))]
    if not objects or not nm:
        return run.check(nm is None, "no objects to look at")
    shared = []
    for path in objects:
        symbols = subprocess.run([nm, "-C", "--defined-only", path], check=True, capture_output=True, text=True).stdout.splitlines()
        shared += [f"{path.name}: {line[19:]}" for line in symbols if len(line) > 19 and line[17] in "WVu"]
    run.equal(f"{len(objects)} objects of newer instruction sets: functions that the linker could give to others", shared, [])


def check_oldest(run, plan):
    qemu = shutil.which("qemu-x86_64")
    if not qemu:
        return run.check(True, "qemu-user is not installed: nothing was run on an emulated x86-64-v2 CPU")
    for what in (["exec", f"--loadEngine={plan}", "--device=cpu", "--iterations=1", "--duration=0", "--warmUp=0"], ["inspect", plan]):
        done = subprocess.run([qemu, "-cpu", OLDEST, run.octet_path, *map(str, what)], capture_output=True, text=True)
        run.check(done.returncode == 0 and "portable" in done.stdout, f"octet {what[0]} on an emulated {OLDEST}: exit {done.returncode} {done.stderr[-200:]}")


if __name__ == "__main__":
    with running(__doc__) as run:
        plan = run.plan("fp8", "image")
        check_objects(run, run.tools)
        check_amx_refused(run, plan)
        check_oldest(run, plan)
