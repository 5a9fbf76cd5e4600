// The element types of octet and their one spelling everywhere: CLI, IR text, plan, reports. Next: numeric/convert.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace octet {

// Values are stored in plans: append only.
enum class DType : uint8_t { f32 = 0, f16, bf16, e4m3, e5m2, e8m0, i8, u8, i32, i64, boolean, f64 };
inline constexpr int kDTypeCount = 12;

size_t size_of(DType dtype);                                    // bytes of one element (boolean: 1)
std::string_view name_of(DType dtype);                          // "f32 f16 bf16 e4m3 e5m2 e8m0 i8 u8 i32 i64 bool f64"
std::optional<DType> parse_dtype(std::string_view name);
bool is_float(DType dtype);                                     // f32 f16 bf16 f64
bool is_float8(DType dtype);                                    // e4m3 e5m2
bool is_integer(DType dtype);                                   // i8 u8 i32 i64
inline auto format_as(DType dtype) { return name_of(dtype); }   // fmt

}  // namespace octet
