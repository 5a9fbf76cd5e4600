// Chains of one instruction on registers, a file an instruction set. Internal to cpu/roofs.cpp.
#pragma once

namespace octet::cpu {

// Each runs `rounds` rounds of twelve (AMX: four) independent instructions.
void probe_sse2(int rounds);
void probe_avx2(int rounds);
void probe_avx512(int rounds);
void probe_avx512bf16(int rounds);
void probe_amx(int rounds);

}  // namespace octet::cpu
