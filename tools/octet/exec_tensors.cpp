// Inputs from files, and random ones.
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "exec.h"
#include "exec_files.h"
#include "formats/npy.h"
#include "npy_inputs.h"

namespace octet::cli::exec {
namespace {

// numpy's own types become the tensor's where that loses no more than float precision.
HostTensor from_npy(const std::string& path, const std::string& name, DType dtype, const std::vector<int64_t>& dims) {
  const HostTensor tensor = read_npy(path);
  if (tensor.dims() != dims)
    throw Error(Code::kInvalid, fmt::format("{} is {}, `{}` is [{}]", path, describe(tensor), printable(name), fmt::join(dims, ",")),
                "give the batch of the file by --shapes");
  return with_context([&] { return "reading " + path; }, [&] { return as_input(tensor, name, dtype, Code::kInvalid); });
}

}  // namespace

HostTensor read_values(const std::string& path, const std::string& name, DType dtype, const std::vector<int64_t>& dims, bool f32_too) {
  const auto file = MappedFile::open(path);
  if (file->text().starts_with("\x93NUMPY")) return from_npy(path, name, dtype, dims);
  const auto raw = [&](DType type) { return HostTensor(type, dims, file->bytes(), file); };
  const uint64_t count = static_cast<uint64_t>(element_count(dims)), bytes = file->bytes().size();
  if (bytes == count * size_of(dtype)) return raw(dtype);
  if (f32_too && is_float(dtype) && bytes == count * 4) return raw(DType::f32);
  throw Error(Code::kInvalid,
              fmt::format("{} has {} bytes; `{}` of {}[{}] has {}", path, bytes, printable(name), name_of(dtype), fmt::join(dims, ","),
                          count * size_of(dtype)),
              "a raw file holds the values alone, as numpy's tofile() writes them; or give a .npy");
}

namespace {

void check_ids(const HostTensor& tensor, const std::string& name, int64_t vocabulary) {
  for (int64_t i = 0; vocabulary > 0 && i < tensor.count(); ++i)
    if (const int64_t id = tensor.at_int(i); id < 0 || id >= vocabulary)
      throw Error(Code::kInvalid,
                  fmt::format("input `{}`, value {}: token id {} is outside the vocabulary [0, {})", printable(name), i, id, vocabulary),
                  "tokenize with the processor/ that was exported beside the model");
}

std::string random_text(const plan::Plan& plan, plan::Id buffer) {
  if (is_float(plan.buffers[buffer].dtype)) return "uniform in [-1, 1]";
  if (plan.buffers[buffer].dtype == DType::u8) return "uniform in [0, 255]";
  const int64_t vocabulary = vocabulary_of(plan, buffer);
  if (vocabulary > 2) return fmt::format("token ids, uniform in the vocabulary [0, {})", vocabulary);
  return vocabulary > 0 ? "0 or 1" : "uniform in [-128, 127]";
}

}  // namespace

Tensors make_tensors(const Options& o, const plan::Plan& plan, int64_t batch, const NamedFiles& files, bool say) {
  Tensors tensors = random_tensors(plan, batch);
  std::vector<std::string> given, warnings;
  for (const auto& [name, path] : files) given.push_back(name);
  const std::vector<std::string> names = input_names(plan);
  const auto found = resolve_names(given, {names, "--loadInputs", o.flags.has("--strictNames")}, warnings);
  for (const auto& warning : warnings) warn(warning);
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const plan::Binding& input = plan.inputs[i];
    const std::string name = printable(input.name);
    const auto match = found.find(input.name);
    if (match == found.end()) {
      if (say) info(fmt::format("Using random values for input {} ({})", name, random_text(plan, input.buffer)));
      continue;
    }
    const std::string& path = std::ranges::find(files, match->second, [](const auto& file) { return file.first; })->second;
    tensors.inputs[i] = read_values(path, input.name, tensors.inputs[i].dtype(), tensors.inputs[i].dims(), false);
    check_ids(tensors.inputs[i], input.name, vocabulary_of(plan, input.buffer));
    if (say) info(fmt::format("Using values loaded from {} for input {}", path, name));
  }
  return tensors;
}

}  // namespace octet::cli::exec
