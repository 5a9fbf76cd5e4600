#include "plan/io.h"

#include <algorithm>

#include "base/aligned.h"
#include "base/hash.h"
#include "base/text.h"
#include "numeric/host_tensor.h"
#include "plan/encode.h"
#include "plan/layout.h"
#include "plan/validate.h"

namespace octet::plan {
namespace {

constexpr std::byte kZeros[kAlign] = {};
// What a plan may unfold to in memory, weights apart: twice its file and room for many small objects.
constexpr uint64_t kUnfold = 64ull << 20;

// Calls visit(SectionId, function that visits the fields of that section).
void each_encoded_section(auto& plan, auto&& visit) {
  visit(SectionId::kMeta, [&](auto& v) { meta_fields(plan, v); });
  visit(SectionId::kBuffers, [&](auto& v) { buffer_fields(plan, v); });
  visit(SectionId::kWeights, [&](auto& v) { weight_fields(plan, v); });
  visit(SectionId::kSteps, [&](auto& v) { step_fields(plan, v); });
  visit(SectionId::kSource, [&](auto& v) { source_fields(plan, v); });
}

// The data section: calls emit(bytes) for each tensor, and for the zeros before each but the first.
void each_data_part(const Plan& plan, auto&& emit) {
  uint64_t end = 0;
  for (const auto bytes : plan.weight_bytes) {
    emit(std::span(kZeros).first(round_up(end, kAlign) - end));
    emit(bytes);
    end = round_up(end, kAlign) + bytes.size();
  }
}

// Sets the canonical offset of every tensor; returns the size of the data section.
uint64_t place_weights(std::vector<Weight>& weights, std::span<const std::span<const std::byte>> bytes) {
  uint64_t end = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i].offset = round_up(end, kAlign);
    end = weights[i].offset + bytes[i].size();
  }
  return end;
}

std::span<const std::byte> bytes_of(std::span<const std::byte> file, const Section& section) {
  return file.subspan(section.offset, section.size);
}

// Reading a part makes its pages resident; released at once, a file of weights never is as a whole.
Hash128 hash_of(const MappedFile& file, std::span<const std::byte> bytes) {
  constexpr size_t kPart = 8 << 20;
  Hasher128 hasher;
  for (size_t at = 0; at < bytes.size(); at += kPart) {
    const auto part = bytes.subspan(at, std::min(kPart, bytes.size() - at));
    hasher.update(part);
    file.release(part);
  }
  return hasher.digest();
}

void check_hash(const MappedFile& file, const Layout& layout, SectionId id) {
  const Hash128 hash = hash_of(file, bytes_of(file.bytes(), layout[id]));
  if (hash != layout[id].hash)
    fail(Code::kInvalid, "section {} does not match its hash: damaged (stored {}, found {})", name_of(id), hex(layout[id].hash), hex(hash));
}

// Binds every weight to its bytes. The offsets must be the canonical ones, the gaps zero, the section exactly full.
void bind_weights(Plan& plan, std::span<const std::byte> data) {
  uint64_t end = 0;
  for (const Weight& weight : plan.weights) {
    const uint64_t begin = round_up(end, kAlign);
    const auto size = static_cast<uint64_t>(element_count(weight.dims));
    uint64_t bytes = 0;
    if (weight.offset != begin)
      fail(Code::kInvalid, "weight `{}` lies at byte {} instead of {}", printable(weight.name), weight.offset, begin);
    if (__builtin_mul_overflow(size, size_of(weight.dtype), &bytes) || begin > data.size() || bytes > data.size() - begin)
      fail(Code::kInvalid, "weight `{}` reaches beyond the data section of {} bytes", printable(weight.name), data.size());
    for (const std::byte zero : data.subspan(end, begin - end))
      if (zero != std::byte{0}) fail(Code::kInvalid, "padding before weight `{}` is not zero", printable(weight.name));
    plan.weight_bytes.push_back(data.subspan(begin, bytes));
    end = begin + bytes;
  }
  if (end != data.size()) fail(Code::kInvalid, "the data section has {} bytes, the weights take {}", data.size(), end);
}

Plan decode(const MappedFile& mapped) {
  const std::span<const std::byte> file = mapped.bytes();
  Layout layout;
  const auto reasons = check_layout(file, layout);
  if (!reasons.empty()) fail(Code::kInvalid, "{}", join(reasons, "; "));
  Plan plan;
  plan.creator = layout.creator;
  uint64_t budget = 2 * (file.size() - layout[SectionId::kData].size) + kUnfold;
  each_encoded_section(plan, [&](SectionId id, auto&& visit) {
    check_hash(mapped, layout, id);
    Decoder decoder(name_of(id), bytes_of(file, layout[id]), budget);
    visit(decoder);
    decoder.finish();
  });
  bind_weights(plan, bytes_of(file, layout[SectionId::kData]));
  validate(plan);
  check_hash(mapped, layout, SectionId::kData);  // last: the only check that takes time, and validate() needs no hash
  return plan;
}

}  // namespace

uint64_t write(const Plan& plan, const std::filesystem::path& path) {
  validate(plan);
  Plan placed;  // only the weights table of it is used
  placed.weights = plan.weights;
  Layout layout{plan.creator, {}};
  layout[SectionId::kData].size = place_weights(placed.weights, plan.weight_bytes);
  std::array<Encoder, kSectionCount> encoders;
  each_encoded_section(plan, [&](SectionId id, auto&& visit) {
    Encoder& encoder = encoders[static_cast<size_t>(id) - 1];
    if (id == SectionId::kWeights) weight_fields(placed, encoder);
    else visit(encoder);
    layout[id].size = encoder.bytes().size();
    layout[id].hash = xxh3_128(encoder.bytes());
  });
  Hasher128 hasher;
  each_data_part(plan, [&](std::span<const std::byte> part) { hasher.update(part); });
  layout[SectionId::kData].hash = hasher.digest();
  place(layout);
  AtomicFile file(path);
  file.write(encode(layout));
  for (size_t i = 0; i + 1 < kSectionCount; ++i) {
    file.write(encoders[i].bytes());
    file.write(std::span(kZeros).first(layout.sections[i + 1].offset - file.written()));
  }
  each_data_part(plan, [&](std::span<const std::byte> part) { file.write(part); });
  file.commit();
  return file.written();
}

Plan read(std::shared_ptr<const MappedFile> file) {
  try {
    Plan plan = decode(*file);
    plan.storage.push_back(file);
    plan.file = std::move(file);
    return plan;
  } catch (const Error& error) {
    if (error.code() != Code::kInvalid) throw;
    throw Error(Code::kInvalid, fmt::format("{} is not a usable engine: {}", file->path().string(), error.message()),
                "build it again with `octet exec --onnx=... --saveEngine=...`");
  }
}

Plan read(const std::filesystem::path& path) { return read(MappedFile::open(path)); }

Validity engine_validity(const std::filesystem::path& path) {
  Validity validity;
  try {
    Layout layout;
    validity.reasons = check_layout(MappedFile::open(path)->bytes(), layout);
  } catch (const Error& error) {
    validity.reasons = {error.message()};
  }
  validity.runs_here = validity.reasons.empty();
  return validity;
}

}  // namespace octet::plan
