#include "formats/onnx/wire.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace octet::onnx {

bool WireReader::next() {
  while (at_ != end_) {
    read_tag();
    if (wire_ != Wire::kGroup) return read_value(), true;
    skip_group();
  }
  return false;
}

void WireReader::read_tag() {
  start_ = at_;
  const uint64_t tag = read_varint();
  if (tag >> 3 == 0 || tag >> 32 != 0) damaged("the field number is out of range");
  if ((tag & 7) > 5) damaged("the wire type is unknown");
  field_ = static_cast<uint32_t>(tag >> 3);
  wire_ = static_cast<Wire>(tag & 7);
}

void WireReader::read_value() {
  switch (wire_) {
    case Wire::kVarint:
      value_ = read_varint();
      return;
    case Wire::kFixed64:
      value_ = read_fixed(8);
      return;
    case Wire::kFixed32:
      value_ = read_fixed(4);
      return;
    case Wire::kBytes: {
      const uint64_t size = read_varint();
      if (size > static_cast<uint64_t>(end_ - at_)) damaged("a length runs past the end of its message");
      bytes_ = {at_, static_cast<size_t>(size)};
      at_ += size;
      return;
    }
    case Wire::kGroup:
      return;
    case Wire::kEndGroup:
      damaged("a group ends that was not opened");
  }
}

// No recursion: a file of nothing but group openers must cost no stack.
void WireReader::skip_group() {
  std::array<uint32_t, kMaxDepth> open;
  size_t depth = 0;
  do {
    if (wire_ == Wire::kGroup) {
      if (depth == open.size()) damaged("groups are nested too deeply");
      open[depth++] = field_;
    } else if (wire_ == Wire::kEndGroup) {
      if (open[--depth] != field_) damaged("a group ends with another number than it began with");
    } else {
      read_value();
    }
    if (depth > 0) read_tag();
  } while (depth > 0);
}

uint64_t WireReader::read_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) damaged("the message ends inside a number");
    const auto byte = static_cast<uint64_t>(*at_++);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  damaged("a number is longer than 64 bits");
}

uint64_t WireReader::read_fixed(size_t size) {
  if (static_cast<size_t>(end_ - at_) < size) damaged("the message ends inside a number");
  uint64_t value = 0;
  std::memcpy(&value, at_, size);
  at_ += size;
  return value;
}

WireReader WireReader::message() const {
  WireReader inner(bytes());
  inner.file_ = file_;
  inner.depth_ = depth_ + 1;
  if (inner.depth_ > kMaxDepth) damaged("messages are nested too deeply");
  return inner;
}

void WireReader::damaged(std::string_view what) const { fail(Code::kInvalid, "damaged ONNX file at byte {}: {}", offset(), what); }

void WireWriter::put(uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
  bytes_ += static_cast<char>(value);
}

void WireWriter::varint(uint32_t field, uint64_t value) {
  tag(field, 0);
  put(value);
}

void WireWriter::f32(uint32_t field, float value) {
  tag(field, 5);
  char raw[4];
  std::memcpy(raw, &value, sizeof raw);
  bytes_.append(raw, sizeof raw);
}

void WireWriter::text(uint32_t field, std::string_view value) {
  tag(field, 2);
  put(value.size());
  bytes_ += value;
}

void WireWriter::view(uint32_t field, std::span<const std::byte> payload) {
  constexpr size_t kTiny = 256;  // below it a copy is smaller than the bookkeeping and the system call
  if (payload.size() <= kTiny) return text(field, {reinterpret_cast<const char*>(payload.data()), payload.size()});
  tag(field, 2);
  put(payload.size());
  views_.push_back({bytes_.size(), payload});
  viewed_ += payload.size();
}

void WireWriter::message(uint32_t field, const WireWriter& inner) {
  tag(field, 2);
  put(inner.size());
  for (const View& view : inner.views_) views_.push_back({bytes_.size() + view.at, view.payload});
  bytes_ += inner.bytes_;
  viewed_ += inner.viewed_;
}

void WireWriter::write(const std::function<void(std::span<const std::byte>)>& sink) const {
  const auto bytes = std::as_bytes(std::span(bytes_));
  size_t done = 0;
  for (const View& view : views_) {
    sink(bytes.subspan(done, view.at - done));
    sink(view.payload);
    done = view.at;
  }
  sink(bytes.subspan(done));
}

bool WireWriter::operator==(const WireWriter& other) const {
  const auto same = [](const View& a, const View& b) { return a.at == b.at && std::ranges::equal(a.payload, b.payload); };
  return bytes_ == other.bytes_ && std::ranges::equal(views_, other.views_, same);
}

}  // namespace octet::onnx
