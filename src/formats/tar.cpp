#include "formats/tar.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace octet {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxLongName = uint64_t{1} << 16, kMaxPax = uint64_t{1} << 20;
constexpr size_t kChecksumAt = 148, kChecksumSize = 8;

// A field of `size` bytes up to its first NUL.
std::string_view field(std::string_view header, size_t at, size_t size) {
  const auto text = header.substr(at, size);
  return text.substr(0, text.find('\0'));
}

// Octal digits between blanks, or GNU's base-256 (top bit of the first byte set) when `wide`.
uint64_t number(std::string_view header, size_t at, size_t size, const std::string& where, bool wide) {
  const auto bytes = header.substr(at, size);
  uint64_t value = 0;
  if (wide && (static_cast<unsigned char>(bytes[0]) & 0x80) != 0) {
    if (static_cast<unsigned char>(bytes[0]) != 0x80) fail(Code::kInvalid, "{}: a tar size is negative or too large", where);
    for (const char c : bytes.substr(1)) {
      if (value >> 56 != 0) fail(Code::kInvalid, "{}: a tar size is too large", where);
      value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
  }
  const auto digits = trim(bytes.substr(0, bytes.find('\0')));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
  if (digits.empty()) return 0;
  if (error != std::errc{} || end != digits.data() + digits.size() || digits[0] == '-')
    fail(Code::kInvalid, "{}: a tar header holds `{}` for a number", where, printable(digits));
  return value;
}

void check_checksum(std::string_view header, const std::string& where, size_t at) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i)
    sum += i >= kChecksumAt && i < kChecksumAt + kChecksumSize ? ' ' : static_cast<unsigned char>(header[i]);
  if (sum != number(header, kChecksumAt, kChecksumSize, where, false))
    throw Error(Code::kInvalid, fmt::format("{}: the tar header at byte {} has a wrong checksum", where, at),
                "the file is damaged or not a tar (a compressed one must be unpacked first)");
}

struct Pax {
  std::optional<std::string> path;
  std::optional<uint64_t> size;
};

// Records "LENGTH KEY=VALUE\n", where LENGTH counts the whole record.
Pax read_pax(std::string_view text, const std::string& where) {
  Pax out;
  const auto damaged = [&] { fail(Code::kInvalid, "{}: a pax header is damaged", where); };
  while (!text.empty()) {
    size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<size_t>(end - text.data());
    if (error != std::errc{} || length > text.size() || length < digits + 3 || *end != ' ' || text[length - 1] != '\n') damaged();
    const auto record = text.substr(digits + 1, length - digits - 2);
    text.remove_prefix(length);
    const size_t equals = record.find('=');
    if (equals == record.npos) damaged();
    const auto key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key.starts_with("GNU.sparse")) fail(Code::kUnsupported, "{}: it holds a sparse file", where);
    if (key == "path") out.path = value;
    if (key == "size") {
      uint64_t size = 0;
      const auto [last, bad] = std::from_chars(value.data(), value.data() + value.size(), size);
      if (bad != std::errc{} || last != value.data() + value.size()) damaged();
      out.size = size;
    }
  }
  return out;
}

std::string header_name(std::string_view header) {
  const std::string name(field(header, 0, 100));
  const bool posix = header.substr(257, 6) == std::string_view("ustar\0", 6);  // GNU's own magic puts times where prefix lies
  const auto prefix = posix ? field(header, 345, 155) : std::string_view{};
  return prefix.empty() ? name : fmt::format("{}/{}", prefix, name);
}

std::string_view payload(ByteCursor& cursor, uint64_t size, uint64_t limit, const std::string& where) {
  if (size > limit) fail(Code::kInvalid, "{}: a tar name record of {} bytes", where, size);
  const auto text = cursor.text(size);
  cursor.take((kBlock - size % kBlock) % kBlock);
  return text;
}

bool is_zero(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == 0; });
}

}  // namespace

void TarReader::read_end() {
  ended_ = true;
  if (!is_zero(cursor_.text(cursor_.left())))
    throw Error(Code::kInvalid, fmt::format("{}: there is data behind the end of the archive", file_.where),
                "join tars with `tar -A`, not with cat");
}

std::optional<TarEntry> TarReader::next() {
  Pax pax;  // of the next file
  while (!ended_) {
    if (cursor_.left() < kBlock)
      throw Error(Code::kInvalid, fmt::format("{}: the tar ends without an end-of-archive block", file_.where),
                  "it is truncated: copy it again");
    const size_t at = cursor_.offset();
    const auto header = cursor_.text(kBlock);
    if (is_zero(header)) {
      read_end();
      break;
    }
    check_checksum(header, file_.where, at);
    const uint64_t size = number(header, 124, 12, file_.where, true);
    const char type = header[156];
    if (type == 'L') {
      const auto name = payload(cursor_, size, kMaxLongName, file_.where);
      pax.path = name.substr(0, name.find('\0'));
    } else if (type == 'K' || type == 'g') {
      const auto text = payload(cursor_, size, kMaxPax, file_.where);
      if (const Pax global = type == 'g' ? read_pax(text, file_.where) : Pax{}; global.path || global.size)
        fail(Code::kUnsupported, "{}: a global pax header names a path or size", file_.where);
    } else if (type == 'x') {
      const Pax more = read_pax(payload(cursor_, size, kMaxPax, file_.where), file_.where);
      if (more.path) pax.path = more.path;
      if (more.size) pax.size = more.size;
    } else if (type == '0' || type == '\0' || type == '7') {
      const uint64_t length = pax.size.value_or(size);
      TarEntry entry{pax.path.value_or(header_name(header)), cursor_.take(length)};
      cursor_.take(std::min<uint64_t>((kBlock - length % kBlock) % kBlock, cursor_.left()));
      pax = {};
      if (!entry.name.ends_with('/')) return entry;  // v7 marks a directory so
    } else if (type >= '1' && type <= '6') {
      if (size != 0)
        fail(Code::kInvalid, "{}: `{}` is a link, device or directory with content", file_.where, printable(header_name(header)));
      pax = {};
    } else {
      fail(Code::kUnsupported, "{}: `{}` is of tar type `{}`", file_.where, printable(header_name(header)), printable({&type, 1}));
    }
  }
  return std::nullopt;
}

std::optional<TarSample> TarSamples::next() {
  std::optional<TarSample> sample;
  for (;;) {
    if (!ahead_) ahead_ = reader_.next();
    if (!ahead_) return sample;
    const std::string& name = ahead_->name;
    const size_t slash = name.rfind('/');
    const size_t dot = std::min(name.find('.', slash == name.npos ? 0 : slash + 1), name.size());
    const std::string key = name.substr(0, dot), part = dot < name.size() ? name.substr(dot + 1) : "";
    if (sample && sample->key != key) return sample;
    if (!sample) sample = TarSample{key, {}};
    if (!sample->parts.emplace(part, ahead_->bytes).second)
      fail(Code::kInvalid, "{}: sample `{}` has two parts `{}`", reader_.where(), printable(key), printable(part));
    ahead_.reset();
  }
}

}  // namespace octet
