// The tables below are differences to utf8proc 2.8 (Unicode 15), found by trying every code point against the reference;
// tests/e2e/tokenizer_vs_hf.py does so again. A newer utf8proc would need them shortened.
#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "base/error.h"

namespace octet::text {
namespace {

struct CodeRange {
  char32_t first, last;
};

// \p{L} and \p{N} of Unicode 16 that Unicode 15 leaves unassigned.
constexpr CodeRange kNewLetters[] = {{0x1c89, 0x1c8a},   {0xa7cb, 0xa7cd},   {0xa7da, 0xa7dc},   {0x105c0, 0x105f3}, {0x10d4a, 0x10d65},
                                     {0x10d6f, 0x10d85}, {0x10ec2, 0x10ec4}, {0x11380, 0x11389}, {0x1138b, 0x1138b}, {0x1138e, 0x1138e},
                                     {0x11390, 0x113b5}, {0x113b7, 0x113b7}, {0x113d1, 0x113d1}, {0x113d3, 0x113d3}, {0x11bc0, 0x11be0},
                                     {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c}, {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed},
                                     {0x1e5f0, 0x1e5f0}, {0x2ebf0, 0x2ee5d}};
constexpr CodeRange kNewNumbers[] = {{0x10d40, 0x10d49}, {0x116d0, 0x116e3}, {0x11bf0, 0x11bf9}, {0x16130, 0x16139},
                                     {0x16d70, 0x16d79}, {0x1ccf0, 0x1ccf9}, {0x1e5f1, 0x1e5fa}};

// Marks assigned after Unicode 9: the reference's normalisation gives them combining class 0.
constexpr CodeRange kNewMarks[] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},
    {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},   {0x10d24, 0x10d27},
    {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b},
    {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34},
    {0x11a47, 0x11a47}, {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
    {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}};
// The one composed character assigned between Unicode 9 and 15: neither decomposed nor made.
constexpr char32_t kNewComposed = 0x11938;

// Lower case added by Unicode 16 and 17: [first, last] moves by `shift`.
struct CaseRange {
  char32_t first, last;
  int32_t shift;
};
constexpr CaseRange kNewCase[] = {{0x1c89, 0x1c89, 1},      {0xa7cb, 0xa7cb, 0x264 - 0xa7cb},
                                  {0xa7cc, 0xa7cc, 1},      {0xa7ce, 0xa7ce, 1},
                                  {0xa7d2, 0xa7d2, 1},      {0xa7d4, 0xa7d4, 1},
                                  {0xa7da, 0xa7da, 1},      {0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
                                  {0x10d50, 0x10d65, 0x20}, {0x16ea0, 0x16eb8, 0x1b}};

constexpr char32_t kHangulFirst = 0xac00, kHangulLast = 0xd7a3, kLeadFirst = 0x1100, kVowelFirst = 0x1161, kTailBase = 0x11a7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28;

// The range of the sorted `table` that holds c, or null.
template <class Table>
auto find_range(const Table& table, char32_t c) -> const std::decay_t<decltype(table[0])>* {
  const auto it = std::lower_bound(std::begin(table), std::end(table), c, [](const auto& range, char32_t x) { return range.last < x; });
  return it != std::end(table) && it->first <= c ? &*it : nullptr;
}

int combining_class(char32_t c) {
  if (c < 0x300) return 0;
  const int value = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
  return value != 0 && find_range(kNewMarks, c) ? 0 : value;
}

// Canonical decomposition, marks in canonical order.
std::u32string nfd(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    std::array<utf8proc_int32_t, 8> parts;  // the longest canonical decomposition has 4
    utf8proc_ssize_t count = 0;
    if (c >= 0xc0 && c != kNewComposed)
      count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(), UTF8PROC_DECOMPOSE, nullptr);
    if (count <= 0) out += c;
    for (utf8proc_ssize_t i = 0; i < count; ++i) out += static_cast<char32_t>(parts[static_cast<size_t>(i)]);
  }
  for (size_t begin = 0; begin < out.size(); ++begin) {
    size_t end = begin;
    while (end < out.size() && combining_class(out[end]) != 0) ++end;
    if (end - begin > 1) {
      std::stable_sort(out.begin() + static_cast<ptrdiff_t>(begin), out.begin() + static_cast<ptrdiff_t>(end),
                       [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    }
    begin = end;
  }
  return out;
}

// The primary composite of a and b, or 0.
char32_t compose(char32_t a, char32_t b) {
  if (a - kLeadFirst < kLeads && b - kVowelFirst < kVowels) return kHangulFirst + ((a - kLeadFirst) * kVowels + (b - kVowelFirst)) * kTails;
  if (a >= kHangulFirst && a <= kHangulLast) {
    const bool joins = (a - kHangulFirst) % kTails == 0 && b > kTailBase && b < kTailBase + kTails;
    return joins ? a + (b - kTailBase) : 0;
  }
  utf8proc_int32_t pair[3] = {static_cast<utf8proc_int32_t>(a), static_cast<utf8proc_int32_t>(b), 0};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (utf8proc_normalize_utf32(pair, 2, options) != 1) return 0;
  const auto composed = static_cast<char32_t>(pair[0]);
  return composed == kNewComposed ? 0 : composed;
}

bool all_ascii(std::u32string_view text) {
  return std::all_of(text.begin(), text.end(), [](char32_t c) { return c < 0x80; });
}

template <class Sink>
void each_char(std::string_view utf8, Sink&& sink) {
  for (size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    utf8proc_int32_t c = lead;
    utf8proc_ssize_t length = 1;
    if (lead >= 0x80) {
      const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()) + i;
      length = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(utf8.size() - i), &c);
    }
    if (length <= 0) {
      throw Error(Code::kInvalid, fmt::format("text is not UTF-8: byte {} (0x{:02x}) begins no character", i, lead),
                  "encode the text as UTF-8");
    }
    sink(static_cast<char32_t>(c));
    i += static_cast<size_t>(length);
  }
}

}  // namespace

void check_utf8(std::string_view utf8) {
  each_char(utf8, [](char32_t) {});
}

std::u32string decode_utf8(std::string_view utf8) {
  std::u32string out;
  out.reserve(utf8.size());
  each_char(utf8, [&](char32_t c) { out += c; });
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_letter(char32_t c) {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || find_range(kNewLetters, c);
}

bool is_number(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) || find_range(kNewNumbers, c);
}

std::u32string nfc(std::u32string_view text) {
  if (all_ascii(text)) return std::u32string(text);
  std::u32string out;
  size_t starter = std::u32string::npos;  // index in `out` of the last character of class 0
  int last_class = 0;                     // of out.back()
  for (const char32_t c : nfd(text)) {
    const int cls = combining_class(c);
    if (starter != out.npos && (out.size() - 1 == starter || last_class < cls)) {
      if (const char32_t composed = compose(out[starter], c)) {
        out[starter] = composed;
        continue;
      }
    }
    if (cls == 0) starter = out.size();
    out += c;
    last_class = cls;
  }
  return out;
}

std::u32string lower(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    if (c < 0x80) {
      out += c >= 'A' && c <= 'Z' ? c + 0x20 : c;
    } else if (c == 0x130) {  // I with a dot: i, then the dot as a mark
      out += U"i\u0307";
    } else if (const auto* range = find_range(kNewCase, c)) {
      out += static_cast<char32_t>(static_cast<int32_t>(c) + range->shift);
    } else {
      out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
  }
  return out;
}

}  // namespace octet::text
