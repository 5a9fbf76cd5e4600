// The protobuf wire format (protobuf.dev/programming-guides/encoding), by hand: a reader that trusts no byte and copies
// none, and a writer that refers to big payloads instead of holding them. Next: onnx/schema.h for the field numbers.
#pragma once
#include <bit>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet::onnx {

inline constexpr int kMaxDepth = 100;  // of nested messages and of nested groups; protobuf's own limit

// Walks the fields of one message: while (reader.next()) switch (reader.field()) ...; a field not looked at is skipped.
// Every damage throws Error{kInvalid} that names the byte offset in the file.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> file) : file_(file.data()), at_(file.data()), end_(file.data() + file.size()) {}
  bool next();  // false at the end of the message. Skips groups, whatever their number
  uint32_t field() const { return field_; }
  size_t offset() const { return static_cast<size_t>(start_ - file_); }  // of the field, in the file

  // The value of the current field; the wire type must fit.
  uint64_t varint() const { return expect(Wire::kVarint), value_; }
  int64_t int64() const { return static_cast<int64_t>(varint()); }
  int32_t int32() const { return static_cast<int32_t>(varint()); }  // truncates, as protobuf does
  float f32() const { return expect(Wire::kFixed32), std::bit_cast<float>(static_cast<uint32_t>(value_)); }
  std::span<const std::byte> bytes() const { return expect(Wire::kBytes), bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes().data()), bytes_.size()}; }
  WireReader message() const;  // a reader of the nested message

  // Calls fn(raw bits) for each element of the current repeated scalar field, packed or not.
  template <class Fn>
  void each_varint(Fn&& fn) const {
    each(Wire::kVarint, fn);
  }
  template <class Fn>
  void each_fixed32(Fn&& fn) const {
    each(Wire::kFixed32, fn);
  }
  template <class Fn>
  void each_fixed64(Fn&& fn) const {
    each(Wire::kFixed64, fn);
  }

  // Error{kInvalid} "damaged ONNX file at byte N: what".
  [[noreturn]] void damaged(std::string_view what) const;

 private:
  enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kGroup = 3, kEndGroup = 4, kFixed32 = 5 };
  void expect(Wire wire) const {
    if (wire_ != wire) damaged("the field has another wire type than its schema says");
  }
  void read_tag();
  void read_value();
  void skip_group();
  uint64_t read_varint();
  uint64_t read_fixed(size_t size);
  template <class Fn>
  void each(Wire scalar, Fn& fn) const {
    if (wire_ != Wire::kBytes) return expect(scalar), fn(value_);
    WireReader packed = message();
    packed.wire_ = scalar;
    while (packed.at_ != packed.end_) packed.start_ = packed.at_, packed.read_value(), fn(packed.value_);
  }

  const std::byte *file_, *at_, *end_;
  const std::byte* start_ = at_;  // of the current field
  uint32_t field_ = 0;
  Wire wire_ = Wire::kVarint;
  int depth_ = 0;
  uint64_t value_ = 0;
  std::span<const std::byte> bytes_;
};

// Builds a message: its size is known before a byte leaves. Viewed payloads must outlive the writer.
class WireWriter {
 public:
  void varint(uint32_t field, uint64_t value);
  void int64(uint32_t field, int64_t value) { varint(field, static_cast<uint64_t>(value)); }
  void f32(uint32_t field, float value);
  void text(uint32_t field, std::string_view value);
  void view(uint32_t field, std::span<const std::byte> payload);  // not copied unless tiny
  void message(uint32_t field, const WireWriter& inner);
  uint64_t size() const { return bytes_.size() + viewed_; }
  // Hands every byte to `sink`, in order.
  void write(const std::function<void(std::span<const std::byte>)>& sink) const;
  bool operator==(const WireWriter&) const;  // the same bytes come out

 private:
  struct View {
    size_t at;  // goes before bytes_[at]
    std::span<const std::byte> payload;
  };
  void put(uint64_t value);
  void tag(uint32_t field, int wire) { put(uint64_t{field} << 3 | static_cast<unsigned>(wire)); }
  std::string bytes_;
  std::vector<View> views_;
  uint64_t viewed_ = 0;
};

}  // namespace octet::onnx
