// CPUID, XGETBV and the AMX permission of Linux, and OCTET_ISA on top of them. Next: cpu/isa_avx512bf16.cpp, the one measurement.
#include "cpu/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "base/error.h"

namespace octet::cpu {

double measure_vdpbf16ps_over_fma();  // isa_avx512bf16.cpp

namespace {

struct Class {
  std::string_view name;
  uint32_t bit;
};
constexpr Class kLadder[] = {{"portable", kPortable}, {"avx2", kAvx2}, {"avx512", kAvx512}, {"avx512bf16", kAvx512Bf16}, {"amx", kAmx}};

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}
bool has(unsigned value, std::initializer_list<int> bits) {
  for (const int bit : bits)
    if ((value >> bit & 1) == 0) return false;
  return true;
}

// State components the OS saves: 1 SSE, 2 AVX, 5-7 AVX-512, 17-18 AMX.
uint64_t enabled_state() {
  if (!has(cpuid(1, 0).c, {27})) return 0;  // OSXSAVE
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

// Linux hands out the 8 KiB tile state only to processes that ask (ARCH_REQ_XCOMP_PERM); threads inherit it. 0, or the error.
int request_amx() {
  constexpr int kArchRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kArchRequestPermission, kTileData) == 0 ? 0 : errno;
}

struct Executable {
  uint32_t bits = kPortable;
  int amx_error = 0;  // why the operating system refuses the tile state that the CPU has
};

// What CPU and OS can execute, whatever its speed.
Executable executable_isa() {
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), seven_1 = cpuid(7, 1);
  const uint64_t state = enabled_state();
  uint32_t bits = kPortable;
  if ((state & 6) != 6 || !has(one.c, {12, 28, 29}) || !has(seven.b, {5})) return {bits};  // FMA, AVX, F16C; AVX2
  bits |= kAvx2;
  if ((state & 0xe0) != 0xe0 || !has(seven.b, {16, 17, 30, 31}) || !has(seven.c, {1})) return {bits};  // F, DQ, BW, VL; VBMI
  bits |= kAvx512;
  if (!has(seven_1.a, {5})) return {bits};  // AVX512_BF16
  bits |= kAvx512Bf16;
  if ((state >> 17 & 3) != 3 || !has(seven.d, {22, 24})) return {bits};  // AMX-BF16, AMX-TILE
  const int error = request_amx();
  return error == 0 ? Executable{bits | kAmx} : Executable{bits, error};
}
const Executable& found() {
  static const Executable found = executable_isa();
  return found;
}
uint32_t executable() { return found().bits; }

std::string amx_refusal() {
  return fmt::format("the operating system refuses this process the state of AMX tiles (arch_prctl ARCH_REQ_XCOMP_PERM: {})",
                     std::strerror(found().amx_error));
}

}  // namespace

double vdpbf16ps_over_fma() {
  static const double ratio = (executable() & kAvx512Bf16) != 0 ? measure_vdpbf16ps_over_fma() : 0.0;
  return ratio;
}

uint32_t detected_isa() {
  static const uint32_t bits = vdpbf16ps_over_fma() > 1 ? executable() : executable() & ~kAvx512Bf16;
  return bits;
}

uint32_t isa_from(std::string_view forced) {
  if (forced.empty()) return detected_isa();
  uint32_t bits = kPortable;
  for (const Class& step : kLadder) {
    bits |= step.bit;
    if (step.name != forced) continue;
    if (step.bit == kAmx && found().amx_error != 0)
      throw Error(Code::kUsage, fmt::format("OCTET_ISA=amx: {}", amx_refusal()),
                  "unset OCTET_ISA to run without AMX, or lift the limit (a seccomp filter, a container's profile)");
    if (step.bit != 0 && (executable() & step.bit) == 0)
      throw Error(Code::kUsage, fmt::format("OCTET_ISA={}: this CPU or its operating system lacks {}", forced, forced),
                  fmt::format("unset OCTET_ISA, or choose from {}", isa_names(executable())));
    return bits & executable();
  }
  throw Error(Code::kUsage, fmt::format("OCTET_ISA={}: no such class", forced), "choose portable, avx2, avx512, avx512bf16 or amx");
}

uint32_t usable_isa() {
  static const uint32_t bits = [] {
    const char* forced = std::getenv("OCTET_ISA");
    return isa_from(forced == nullptr ? "" : forced);
  }();
  return bits;
}

std::string isa_names(uint32_t bits) {
  std::string names;
  for (const Class& step : kLadder) {
    if (step.bit == 0 || (bits & step.bit) == 0) continue;
    if (!names.empty()) names += '+';
    names += step.name;
  }
  return names.empty() ? "portable" : names;
}

std::string missing_isa(uint32_t needed, uint32_t have) {
  const uint32_t missing = needed & ~have;
  if (missing == 0) return {};
  std::string reason = fmt::format("needs {}, which this CPU lacks (or OCTET_ISA hides)", isa_names(missing));
  if ((missing & kAmx) != 0 && found().amx_error != 0) reason = fmt::format("needs {}: {}", isa_names(missing), amx_refusal());
  if (missing == kAvx512Bf16 && (executable() & kAvx512Bf16) != 0)
    reason = fmt::format("needs avx512bf16, whose dot product runs at {:.2f} of this CPU's f32 FMA rate (or OCTET_ISA hides it)",
                         vdpbf16ps_over_fma());
  return reason;
}

}  // namespace octet::cpu
