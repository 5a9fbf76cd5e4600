// The dtype table behind numeric/dtype.h, indexed by the enum's value.
#include "numeric/dtype.h"

#include <array>

#include "base/error.h"

namespace octet {
namespace {
struct Row {
  std::string_view name;
  size_t size;
};
constexpr std::array<Row, kDTypeCount> kRows{{{"f32", 4},
                                              {"f16", 2},
                                              {"bf16", 2},
                                              {"e4m3", 1},
                                              {"e5m2", 1},
                                              {"e8m0", 1},
                                              {"i8", 1},
                                              {"u8", 1},
                                              {"i32", 4},
                                              {"i64", 8},
                                              {"bool", 1},
                                              {"f64", 8}}};

const Row& row(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  OCTET_CHECK(index < kRows.size(), index);
  return kRows[index];
}
}  // namespace

size_t size_of(DType dtype) { return row(dtype).size; }
std::string_view name_of(DType dtype) { return row(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i)
    if (kRows[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64; }
bool is_float8(DType dtype) { return dtype == DType::e4m3 || dtype == DType::e5m2; }
bool is_integer(DType dtype) { return dtype == DType::i8 || dtype == DType::u8 || dtype == DType::i32 || dtype == DType::i64; }

}  // namespace octet
