#include "formats/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/text.h"
#include "formats/json.h"
#include "formats/safetensors_dtype.h"

namespace octet {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr size_t kMaxTensors = 200'000;  // of all shards
constexpr size_t kMaxMetadata = 10'000;
constexpr size_t kMaxName = 4096;
constexpr size_t kMaxRank = 32;
constexpr JsonLimits kHeaderLimits{.bytes = kMaxHeader, .depth = 8, .values = 4'000'000, .string_bytes = size_t{1} << 20};
constexpr JsonLimits kIndexLimits{.bytes = 64'000'000, .depth = 8, .values = 3 * kMaxTensors, .string_bytes = kMaxName};

struct Entry {
  std::string name;
  DType dtype;
  std::vector<int64_t> dims;
  uint64_t begin, end;
};

const nlohmann::json& member(const nlohmann::json& object, const char* key, const std::string& what) {
  const auto found = object.find(key);
  if (found == object.end()) fail(Code::kInvalid, "{} has no `{}`", what, key);
  return *found;
}

DType parse_entry_dtype(const nlohmann::json& value, const std::string& what) {
  if (!value.is_string()) fail(Code::kInvalid, "{}: `dtype` is not a string", what);
  const auto& name = value.get_ref<const std::string&>();
  for (const auto& [spelling, dtype] : kSafetensorsDTypes)
    if (name == spelling) return dtype;
  for (const auto known : kSafetensorsUnsupported)
    if (name == known)
      throw Error(Code::kUnsupported, fmt::format("{} has dtype {}, which octet does not read", what, name),
                  "convert the tensor to F16, BF16 or F32, or leave it out of the checkpoint");
  fail(Code::kInvalid, "{} has an unknown dtype `{}`", what, printable(name));
}

uint64_t parse_unsigned(const nlohmann::json& value, const std::string& what, const char* key) {
  if (!value.is_number_unsigned()) fail(Code::kInvalid, "{}: `{}` holds something that is not a whole number >= 0", what, key);
  return value.get<uint64_t>();
}

Entry parse_entry(const std::string& name, const nlohmann::json& value, const std::string& where) {
  const std::string what = fmt::format("{}: tensor `{}`", where, printable(name));
  if (name.size() > kMaxName) fail(Code::kInvalid, "{}: its name is {} bytes long, more than {}", what, name.size(), kMaxName);
  if (!value.is_object() || value.size() != 3) fail(Code::kInvalid, "{} is not an object of dtype, shape and data_offsets", what);
  Entry entry{name, parse_entry_dtype(member(value, "dtype", what), what), {}, 0, 0};
  const auto& shape = member(value, "shape", what);
  if (!shape.is_array() || shape.size() > kMaxRank) fail(Code::kInvalid, "{}: `shape` is not an array of at most {} sizes", what, kMaxRank);
  for (const auto& dim : shape) {
    const uint64_t size = parse_unsigned(dim, what, "shape");
    if (size > INT64_MAX) fail(Code::kInvalid, "{}: dimension {} is too large", what, size);
    entry.dims.push_back(static_cast<int64_t>(size));
  }
  const auto& offsets = member(value, "data_offsets", what);
  if (!offsets.is_array() || offsets.size() != 2) fail(Code::kInvalid, "{}: `data_offsets` is not a pair", what);
  entry.begin = parse_unsigned(offsets[0], what, "data_offsets");
  entry.end = parse_unsigned(offsets[1], what, "data_offsets");
  if (entry.begin > entry.end) fail(Code::kInvalid, "{}: data_offsets [{}, {}] run backwards", what, entry.begin, entry.end);
  return entry;
}

std::map<std::string, std::string> parse_metadata(const nlohmann::json& value, const std::string& where) {
  if (!value.is_object() || value.size() > kMaxMetadata)
    fail(Code::kInvalid, "{}: `__metadata__` is not an object of at most {} strings", where, kMaxMetadata);
  std::map<std::string, std::string> out;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) fail(Code::kInvalid, "{}: `__metadata__` key `{}` is not a string", where, printable(key));
    out.emplace(key, text.get<std::string>());
  }
  return out;
}

std::string_view header_text(ByteCursor& cursor, const std::string& where) {
  const auto length = cursor.number<uint64_t>();
  if (length > kMaxHeader) fail(Code::kInvalid, "{}: the header claims {} bytes; safetensors allows 100 MB", where, length);
  const std::string_view text = cursor.text(length);
  if (text.empty() || text[0] != '{') fail(Code::kInvalid, "{}: not a safetensors file: the header does not start with `{{`", where);
  return text;
}

// No gap, no overlap, nothing left over: every byte of the data belongs to exactly one tensor.
void check_coverage(const std::vector<Entry>& entries, uint64_t size, const std::string& where) {
  uint64_t at = 0;
  for (const auto& entry : entries) {
    if (entry.begin != at)
      fail(Code::kInvalid, "{}: tensor `{}` begins at data byte {}, {} the one before it ends at {}", where, printable(entry.name),
           entry.begin, entry.begin < at ? "but" : "leaving a gap:", at);
    at = entry.end;
  }
  if (at != size) fail(Code::kInvalid, "{}: the tensors end at data byte {}, the file at {}", where, at, size);
}

bool is_plain_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".safetensors";
  return name.size() > kSuffix.size() && name.size() <= 255 && name.ends_with(kSuffix) && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

Safetensors open_sharded(const std::filesystem::path& index_path) {
  const std::string where = index_path.string();
  const auto index = read_json(index_path, kIndexLimits);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    fail(Code::kInvalid, "{}: no object `weight_map`", where);
  std::map<std::string, size_t> shards;  // file name -> tensors the index puts there
  for (const auto& [name, file] : index["weight_map"].items()) {
    if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>()))
      throw Error(Code::kInvalid,
                  fmt::format("{}: `{}` is said to be in `{}`", where, printable(name),
                              printable(file.is_string() ? file.get<std::string>() : file.dump())),
                  "shards must be plain file names ending in .safetensors, in the directory of the index");
    ++shards[file.get<std::string>()];
  }
  if (shards.empty()) fail(Code::kInvalid, "{}: `weight_map` is empty", where);
  Safetensors all;
  for (const auto& [file, count] : shards) {
    Safetensors shard = Safetensors::open(index_path.parent_path() / file);
    for (const auto& name : shard.names())
      if (const auto found = index["weight_map"].find(name); found == index["weight_map"].end() || *found != file)
        fail(Code::kInvalid, "{}: tensor `{}` is not where {} says", shard.where(), printable(name), where);
    if (shard.names().size() != count)
      fail(Code::kInvalid, "{}: holds {} tensors, {} says {}", shard.where(), shard.names().size(), where, count);
    all.merge(std::move(shard));
  }
  return all;
}

}  // namespace

Safetensors Safetensors::parse(const Blob& file) {
  ByteCursor cursor(file.bytes, file.where);
  const auto header = parse_json(header_text(cursor, file.where), file.where, kHeaderLimits);
  const size_t count = header.size() - (header.contains("__metadata__") ? 1 : 0);
  if (count > kMaxTensors) fail(Code::kInvalid, "{}: {} tensors, more than {}", file.where, count, kMaxTensors);
  const Blob data{cursor.take(cursor.left()), file.owner, file.where};
  Safetensors out;
  out.where_ = file.where;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") out.metadata_ = parse_metadata(value, file.where);
    else entries.push_back(parse_entry(name, value, file.where));
  }
  std::ranges::stable_sort(entries, [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  check_coverage(entries, data.bytes.size(), file.where);
  for (auto& entry : entries) {
    const auto bytes = data.bytes.subspan(entry.begin, entry.end - entry.begin);
    auto tensor = with_context([&] { return fmt::format("reading tensor `{}` of {}", printable(entry.name), file.where); },
                               [&] { return HostTensor(entry.dtype, std::move(entry.dims), bytes, file.owner); });
    out.tensors_.emplace(entry.name, std::move(tensor));
    out.names_.push_back(std::move(entry.name));
  }
  return out;
}

Safetensors Safetensors::open(const std::filesystem::path& path) { return parse(map_blob(path)); }

const HostTensor& Safetensors::at(std::string_view name) const {
  if (const auto found = tensors_.find(name); found != tensors_.end()) return found->second;
  // The search costs the product of the lengths for each name: only the names that can be near, and not in huge files.
  constexpr size_t kMaxSearched = 5000, kMaxLength = 512;
  std::vector<std::string> candidates;
  for (const auto& existing : names_)
    if (names_.size() <= kMaxSearched && existing.size() <= kMaxLength && name.size() <= kMaxLength) candidates.push_back(existing);
  const std::string near = nearest(name, candidates);
  throw Error(Code::kInvalid, fmt::format("{}: no tensor `{}`", where_, printable(name)),
              near.empty() ? "" : fmt::format("the nearest name there is `{}`", printable(near)));
}

void Safetensors::merge(Safetensors other) {
  if (names_.empty() && where_.empty()) return void(*this = std::move(other));
  if (names_.size() + other.names_.size() > kMaxTensors)
    fail(Code::kInvalid, "{}: more than {} tensors in all shards", other.where_, kMaxTensors);
  for (const auto& name : other.names_)
    if (has(name)) fail(Code::kInvalid, "{}: tensor `{}` is also in {}", other.where_, printable(name), where_);
  names_.insert(names_.end(), other.names_.begin(), other.names_.end());
  tensors_.merge(other.tensors_);
  metadata_.merge(other.metadata_);
}

void Safetensors::rename(const std::function<std::string(const std::string&)>& to) {
  std::map<std::string, HostTensor, std::less<>> renamed;
  for (std::string& name : names_) {
    auto entry = tensors_.extract(name);
    const std::string given = std::exchange(name, to(name));
    if (!renamed.emplace(name, std::move(entry.mapped())).second)
      fail(Code::kInvalid, "{}: tensors `{}` and another would both be `{}`", where_, printable(given), printable(name));
  }
  tensors_ = std::move(renamed);
}

Safetensors open_checkpoint_tensors(const std::filesystem::path& dir) {
  const auto single = dir / "model.safetensors", index = dir / "model.safetensors.index.json";
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) return Safetensors::open(single);
  if (std::filesystem::exists(index, ignored)) return open_sharded(index);
  throw Error(Code::kIo, fmt::format("{} has neither model.safetensors nor model.safetensors.index.json", dir.string()),
              "give the directory that save_pretrained wrote (with safe_serialization)");
}

}  // namespace octet
