// The ladder of instruction sets: forcing, names, reasons. What the machine has is not assumed.
#include "cpu/isa.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace octet::cpu {
namespace {

TEST(Isa, LadderIsNested) {
  const uint32_t have = detected_isa();
  EXPECT_TRUE((have & kAvx512) == 0 || (have & kAvx2) != 0);
  EXPECT_TRUE((have & (kAvx512Bf16 | kAmx)) == 0 || (have & kAvx512) != 0);
  EXPECT_EQ(isa_from(""), have);
  EXPECT_EQ(isa_from("portable"), uint32_t{kPortable});
}

TEST(Isa, ForcingCapsTheLadderOrRefuses) {
  uint32_t below = kPortable;
  const std::pair<const char*, uint32_t> ladder[] = {{"avx2", kAvx2}, {"avx512", kAvx512}, {"avx512bf16", kAvx512Bf16}, {"amx", kAmx}};
  for (const auto& [name, bit] : ladder) {
    below |= bit;
    try {
      EXPECT_EQ(isa_from(name), below) << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUsage);
      EXPECT_EQ(detected_isa() & bit, 0u) << "the machine has " << name << " but it cannot be forced";
    }
  }
}

TEST(Isa, UnknownClassIsAUsageError) {
  EXPECT_THROW(isa_from("sse9"), Error);
  EXPECT_THROW(isa_from("AVX2"), Error);
}

TEST(Isa, MeasurementDecidesAvx512Bf16) {
  const double ratio = vdpbf16ps_over_fma();
  EXPECT_EQ((detected_isa() & kAvx512Bf16) != 0, ratio > 1);
  EXPECT_EQ(vdpbf16ps_over_fma(), ratio) << "measured once";
  if (ratio != 0) {  // no machine known is outside: 0.25 of the issue rate is 0.5 of the FLOP rate, equal issue is 2
    EXPECT_GT(ratio, 0.1);
    EXPECT_LT(ratio, 4.0);
  }
}

TEST(Isa, NamesAndReasons) {
  EXPECT_EQ(isa_names(kPortable), "portable");
  EXPECT_EQ(isa_names(kAvx2 | kAvx512 | kAmx), "avx2+avx512+amx");
  EXPECT_EQ(missing_isa(kAvx2, kAvx2 | kAvx512), "");
  EXPECT_NE(missing_isa(kAmx | kAvx512, kAvx512).find("needs amx"), std::string::npos);
}

}  // namespace
}  // namespace octet::cpu
