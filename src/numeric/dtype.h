// What octet::DType (declared in the public octet/octet.h) means, and its one spelling everywhere: CLI, IR text, plan, reports.
// Next: numeric/convert.h.
#pragma once
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "octet/octet.h"

namespace octet {

inline constexpr int kDTypeCount = 12;

// size_of(dtype), name_of(dtype): octet/octet.h.
std::optional<DType> parse_dtype(std::string_view name);
bool is_float(DType dtype);    // f32 f16 bf16 f64
bool is_float8(DType dtype);   // e4m3 e5m2
bool is_integer(DType dtype);  // i8 u8 i32 i64

}  // namespace octet

template <>
struct fmt::formatter<octet::DType> : fmt::formatter<std::string_view> {
  auto format(octet::DType dtype, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(octet::name_of(dtype), context);
  }
};
