#include "formats/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace octet {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = size_t{1} << 20;
constexpr size_t kMaxRank = 64;  // numpy 2's own limit
constexpr size_t kAlignment = 64;
constexpr std::array<std::pair<std::string_view, DType>, 8> kTypes{{{"<f2", DType::f16},
                                                                    {"<f4", DType::f32},
                                                                    {"<f8", DType::f64},
                                                                    {"|i1", DType::i8},
                                                                    {"|u1", DType::u8},
                                                                    {"<i4", DType::i32},
                                                                    {"<i8", DType::i64},
                                                                    {"|b1", DType::boolean}}};

// The header: a Python dict literal with exactly the keys descr, fortran_order and shape, in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      parse_item();
      if (accept('}')) break;
      expect(',');
    }
    skip_space();
    if (at_ != text_.size() || !descr || !fortran_order || !shape) damaged();
  }

  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> shape;

 private:
  [[noreturn]] void damaged() { fail(Code::kInvalid, "{}: the npy header `{}` is damaged at byte {}", where_, printable(text_, 120), at_); }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    return ++at_, true;
  }
  void expect(char c) {
    if (!accept(c)) damaged();
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    return at_ += word.size(), true;
  }
  std::string parse_string() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : 0;
    const size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : text_.npos;
    if (end == text_.npos) damaged();
    const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
    if (value.find('\\') != value.npos) damaged();
    at_ = end + 1;
    return std::string(value);
  }
  int64_t parse_number() {
    skip_space();
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc{} || value < 0) damaged();
    at_ += static_cast<size_t>(end - begin);
    accept('L');  // Python 2 wrote long integers so
    return value;
  }
  std::vector<int64_t> parse_shape() {
    std::vector<int64_t> dims;
    expect('(');
    while (!accept(')')) {
      if (dims.size() == kMaxRank) damaged();
      dims.push_back(parse_number());
      if (accept(')')) break;
      expect(',');
    }
    return dims;
  }
  void parse_item() {
    const std::string key = parse_string();
    expect(':');
    if (key == "descr" && !descr) {
      skip_space();
      if (at_ < text_.size() && text_[at_] == '[') descr = "a record of fields";
      else descr = parse_string();
      if (*descr == "a record of fields")
        fail(Code::kUnsupported, "{}: the array is {}; octet reads arrays of one number type", where_, *descr);
    } else if (key == "fortran_order" && !fortran_order) {
      if (accept_word("True")) fortran_order = true;
      else if (accept_word("False")) fortran_order = false;
      else damaged();
    } else if (key == "shape" && !shape) {
      shape = parse_shape();
    } else {
      damaged();
    }
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

DType parse_descr(std::string descr, const std::string& where) {
  if (!descr.empty() && (descr[0] == '=' || descr[0] == '|')) descr[0] = '<';
  for (auto [known, dtype] : kTypes)
    if (descr.substr(0, 1) == "<" && descr.substr(1) == known.substr(1)) return dtype;
  throw Error(Code::kUnsupported, fmt::format("{}: element type `{}` is not one octet reads", where, printable(descr)),
              "save it as little-endian float16, float32, float64, int8, uint8, int32, int64 or bool");
}

std::string_view read_header(ByteCursor& cursor, const std::string& where) {
  if (cursor.left() < kMagic.size() || cursor.text(kMagic.size()) != kMagic) fail(Code::kInvalid, "{}: not an npy file", where);
  const auto major = cursor.number<uint8_t>(), minor = cursor.number<uint8_t>();
  if (major < 1 || major > 3 || minor != 0) fail(Code::kUnsupported, "{}: npy format {}.{}; octet reads 1.0 to 3.0", where, major, minor);
  const size_t length = major == 1 ? cursor.number<uint16_t>() : cursor.number<uint32_t>();
  if (length > kMaxHeader) fail(Code::kInvalid, "{}: an npy header of {} bytes, more than {}", where, length, kMaxHeader);
  return cursor.text(length);
}

}  // namespace

HostTensor parse_npy(const Blob& file) {
  ByteCursor cursor(file.bytes, file.where);
  HeaderParser header(read_header(cursor, file.where), file.where);
  header.parse();
  const DType dtype = parse_descr(*header.descr, file.where);
  if (*header.fortran_order && header.shape->size() > 1)
    throw Error(Code::kUnsupported, fmt::format("{}: the array is in Fortran order", file.where), "save numpy.ascontiguousarray(array)");
  const auto data = cursor.take(cursor.left());
  return with_context([&] { return "reading " + file.where; },
                      [&] { return HostTensor(dtype, std::move(*header.shape), data, file.owner); });
}

HostTensor read_npy(const std::filesystem::path& path) { return parse_npy(map_blob(path)); }

std::string npy_header(DType dtype, std::span<const int64_t> dims) {
  const auto type = std::ranges::find(kTypes, dtype, [](const auto& entry) { return entry.second; });
  if (type == kTypes.end())
    throw Error(Code::kUnsupported, fmt::format("numpy has no element type {}", name_of(dtype)), "convert the tensor to f32 or f16");
  std::string shape = fmt::format("{}", fmt::join(dims, ", "));
  if (dims.size() == 1) shape += ',';
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type->first, shape);
  const size_t head = kMagic.size() + 4;  // two version bytes and a u16 length; 64 dims stay far below 65,535
  const size_t length = (head + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - head;
  text.resize(length - 1, ' ');
  text += '\n';
  OCTET_CHECK(length <= UINT16_MAX, length);
  std::string out(kMagic);
  out += '\x01';
  out += '\x00';
  out += static_cast<char>(length & 0xff);
  out += static_cast<char>(length >> 8);
  return out + text;
}

void write_npy(const std::filesystem::path& path, const HostTensor& tensor) {
  const std::string header = npy_header(tensor.dtype(), tensor.dims());
  AtomicFile file(path);
  file.write(header);
  file.write(tensor.bytes());
  file.commit();
}

Npz Npz::parse(Blob file) {
  Npz out;
  out.zip_ = ZipReader::parse(std::move(file));
  for (const auto& entry : out.zip_.entries()) {
    constexpr std::string_view kSuffix = ".npy";
    if (!entry.name.ends_with(kSuffix))
      fail(Code::kInvalid, "{}: entry `{}` is not an array (.npy)", out.zip_.where(), printable(entry.name));
    out.names_.push_back(entry.name.substr(0, entry.name.size() - kSuffix.size()));
  }
  return out;
}

bool Npz::has(std::string_view name) const { return zip_.find(std::string(name) + ".npy") != nullptr; }

HostTensor Npz::at(std::string_view name) const {
  const auto* entry = zip_.find(std::string(name) + ".npy");
  if (entry == nullptr) {
    const std::string near = names_.size() <= 5000 ? nearest(name, names_) : "";
    throw Error(Code::kInvalid, fmt::format("{}: no array `{}`", zip_.where(), printable(name)),
                near.empty() ? "" : "the nearest name there is `" + near + "`");
  }
  return parse_npy(zip_.read(*entry));
}

}  // namespace octet
