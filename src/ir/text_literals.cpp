// Spelling of names, numbers and elements. Every spelling reads back to the same bits.
#include "ir/text_literals.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace octet::text {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class Number>
std::optional<Number> from_word(std::string_view word, auto... base) {
  Number value{};
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value, base...);
  if (word.empty() || error != std::errc() || stop != word.data() + word.size()) return std::nullopt;
  return value;
}

// "0x" and at most 2 * size digits.
std::optional<uint64_t> from_bits(std::string_view word, size_t size) {
  if (!word.starts_with("0x") || word.size() > 2 + 2 * size) return std::nullopt;
  return from_word<uint64_t>(word.substr(2), 16);
}

uint64_t raw(const HostTensor& tensor, int64_t i) {
  const size_t size = size_of(tensor.dtype());
  uint64_t bits = 0;
  std::memcpy(&bits, tensor.bytes().data() + static_cast<size_t>(i) * size, size);
  return bits;
}
void set_raw(HostTensor& tensor, int64_t i, uint64_t bits) {
  const size_t size = size_of(tensor.dtype());
  std::memcpy(tensor.mutable_data() + static_cast<size_t>(i) * size, &bits, size);
}

bool is_real(DType dtype) { return is_float(dtype) || is_float8(dtype) || dtype == DType::e8m0; }

bool parse_real(std::string_view word, HostTensor& tensor, int64_t i) {
  if (const auto bits = from_bits(word, size_of(tensor.dtype()))) return set_raw(tensor, i, *bits), true;
  if (tensor.dtype() == DType::f32) {  // straight to f32: through a double it could round twice
    const auto value = from_word<float>(word);
    if (value) set_raw(tensor, i, std::bit_cast<uint32_t>(*value));
    return value.has_value();
  }
  const auto value = from_word<double>(word);
  if (value) tensor.set(i, *value);
  return value.has_value();
}

}  // namespace

bool is_word_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("_./-+?").find(c) != std::string_view::npos;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (c == '\n') out += "\\n";
    else if (c < 0x20 || c > 0x7e) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + "\"";
}

std::string word_or_quote(std::string_view name) {
  const bool bare = !name.empty() && name != "_" && std::all_of(name.begin(), name.end(), is_word_char);
  return bare ? std::string(name) : quote(name);
}

std::string symbol_or_quote(std::string_view name) {
  const bool number = !name.empty() && (is_digit(name[0]) || name[0] == '-' || name[0] == '+');
  return number ? quote(name) : word_or_quote(name);
}

std::optional<int64_t> parse_int(std::string_view word) { return from_word<int64_t>(word); }

std::string print_float(float value) {
  return std::isnan(value) ? fmt::format("0x{:08x}", std::bit_cast<uint32_t>(value)) : fmt::format("{}", value);
}

std::optional<float> parse_float(std::string_view word) {
  if (const auto bits = from_bits(word, 4)) return std::bit_cast<float>(static_cast<uint32_t>(*bits));
  return from_word<float>(word);
}

std::string print_element(const HostTensor& tensor, int64_t i) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::boolean) return std::to_string(raw(tensor, i));
  if (!is_real(dtype)) return std::to_string(tensor.at_int(i));
  if (!is_float(dtype) || std::isnan(tensor.at(i))) return fmt::format("0x{:0{}x}", raw(tensor, i), 2 * size_of(dtype));
  return dtype == DType::f64 ? fmt::format("{}", tensor.at(i)) : fmt::format("{}", static_cast<float>(tensor.at(i)));
}

bool parse_element(std::string_view word, HostTensor& tensor, int64_t i) {
  const DType dtype = tensor.dtype();
  if (is_real(dtype)) return parse_real(word, tensor, i);
  if (dtype == DType::boolean) {
    const auto value = word == "true" ? std::optional<int64_t>(1) : word == "false" ? std::optional<int64_t>(0) : parse_int(word);
    if (value && *value >= 0 && *value <= 255) return set_raw(tensor, i, static_cast<uint64_t>(*value)), true;
    return false;
  }
  const auto value = parse_int(word);
  if (value) tensor.set_int(i, *value);
  return value && tensor.at_int(i) == *value;
}

}  // namespace octet::text
