// The byte form of plan.h's structs, derived from plan/fields.h. All little-endian:
//   integers, enums, floats   their bytes (floats: IEEE bits)
//   vector                    u32 count, then the elements
//   string                    u32 r. r < strings so far: that string again; r == strings so far: u32 length and the bytes follow
//   variant                   u32 index, then the fields of that alternative
//   struct                    its fields in order
#pragma once
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <span>

#include "base/error.h"
#include "plan/fields.h"

static_assert(std::endian::native == std::endian::little, "plans are little-endian, as are the machines octet runs on");

namespace octet::plan {

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Encoder {
 public:
  template <class T>
  void operator()(const char*, const T& value) {
    put(value);
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(out_)); }

 private:
  void put(const Scalar auto& value) { out_.append(reinterpret_cast<const char*>(&value), sizeof(value)); }
  void put(const std::string& value) {
    const auto [entry, is_new] = strings_.try_emplace(value, static_cast<uint32_t>(strings_.size()));
    put(entry->second);
    if (!is_new) return;
    put(static_cast<uint32_t>(value.size()));
    out_ += value;
  }
  template <class T>
  void put(const std::vector<T>& values) {
    OCTET_CHECK(values.size() < UINT32_MAX, values.size());
    put(static_cast<uint32_t>(values.size()));
    for (const T& value : values) put(value);
  }
  template <class... Ts>
  void put(const std::variant<Ts...>& value) {
    put(static_cast<uint32_t>(value.index()));
    std::visit([&](const auto& alternative) { put(alternative); }, value);
  }
  template <class T>
  requires(!Scalar<T>) void put(const T& value) { fields(value, *this); }

  std::string out_;
  std::map<std::string, uint32_t> strings_;
};

// Reads what Encoder wrote. Every count and length is checked against the bytes left, and all memory it makes against `budget`
// (shared by the sections of a file: a few bytes that name a long string again and again cannot fill the memory).
class Decoder {
 public:
  Decoder(std::string_view section, std::span<const std::byte> bytes, uint64_t& budget)
      : section_(section), bytes_(bytes), budget_(budget) {}
  template <class T>
  void operator()(const char* field, T& value) {
    field_ = field;
    get(value);
  }
  void finish() const {
    if (position_ != bytes_.size()) refuse("{} bytes follow its last field", bytes_.size() - position_);
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(Code::kInvalid, "section {}, byte {}, field `{}`: {}", section_, position_, field_,
         fmt::format(format, std::forward<Args>(args)...));
  }
  std::span<const std::byte> take(size_t size) {
    if (size > bytes_.size() - position_) refuse("needs {} bytes, {} are left", size, bytes_.size() - position_);
    position_ += size;
    return bytes_.subspan(position_ - size, size);
  }
  void spend(uint64_t bytes) {
    if (bytes > budget_) refuse("the file unfolds to more memory than a plan of its size can need");
    budget_ -= bytes;
  }
  template <class T>
  static constexpr uint32_t enum_count() {
    if constexpr (std::is_same_v<T, DType>) return kDTypeCount;
    else if constexpr (std::is_same_v<T, Activation>) return 4;
    else if constexpr (std::is_same_v<T, PoolMode>) return 3;
  }

  template <Scalar T>
  void get(T& value) {
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    if constexpr (std::is_enum_v<T>)
      if (static_cast<uint32_t>(value) >= enum_count<T>()) refuse("{} is not one of its values", static_cast<uint32_t>(value));
  }
  void get(std::string& value) {
    uint32_t reference = 0;
    get(reference);
    if (reference > strings_.size()) refuse("names string {} of {}", reference, strings_.size());
    if (reference == strings_.size()) {
      uint32_t length = 0;
      get(length);
      const auto text = take(length);
      spend(sizeof(std::string_view));
      strings_.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    }
    spend(strings_[reference].size());
    value = strings_[reference];
  }
  template <class T>
  void get(std::vector<T>& values) {
    uint32_t count = 0;
    get(count);
    const size_t smallest = Scalar<T> ? sizeof(T) : 4;
    if (count > (bytes_.size() - position_) / smallest) refuse("{} elements do not fit in {} bytes", count, bytes_.size() - position_);
    spend(uint64_t{count} * sizeof(T));
    values.resize(count);
    for (T& value : values) get(value);
  }
  template <class... Ts>
  void get(std::variant<Ts...>& value) {
    uint32_t index = 0;
    get(index);
    if (index >= sizeof...(Ts)) refuse("operation {} is unknown to this octet", index);
    size_t i = 0;
    ((i++ == index ? get(value.template emplace<Ts>()) : void()), ...);
  }
  template <class T>
  requires(!Scalar<T>) void get(T& value) { fields(value, *this); }

  std::string_view section_;
  std::span<const std::byte> bytes_;
  uint64_t& budget_;
  const char* field_ = "";
  size_t position_ = 0;
  std::vector<std::string_view> strings_;
};

}  // namespace octet::plan
