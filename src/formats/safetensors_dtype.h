// How safetensors spells octet's element types, and the ones it has that octet lacks.
#pragma once
#include <array>
#include <string_view>
#include <utility>

#include "numeric/dtype.h"

namespace octet {

inline constexpr std::array<std::pair<std::string_view, DType>, 12> kSafetensorsDTypes{{{"F64", DType::f64},
                                                                                        {"F32", DType::f32},
                                                                                        {"F16", DType::f16},
                                                                                        {"BF16", DType::bf16},
                                                                                        {"F8_E4M3", DType::e4m3},
                                                                                        {"F8_E5M2", DType::e5m2},
                                                                                        {"F8_E8M0", DType::e8m0},
                                                                                        {"I64", DType::i64},
                                                                                        {"I32", DType::i32},
                                                                                        {"I8", DType::i8},
                                                                                        {"U8", DType::u8},
                                                                                        {"BOOL", DType::boolean}}};
inline constexpr std::string_view kSafetensorsUnsupported[] = {"U64", "U32",     "U16",     "I16",         "C64",
                                                               "F4",  "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};

}  // namespace octet
