#include "npy_inputs.h"

#include "base/error.h"
#include "base/text.h"
#include "formats/npy.h"

namespace octet::cli {

NamedTensors read_inputs(const std::vector<std::string>& arguments, const char* flag) {
  NamedTensors tensors;
  for (const auto& argument : arguments) {
    const size_t equal = argument.find('=');
    if (equal == argument.npos || equal == 0)
      throw Error(Code::kUsage, fmt::format("{} `{}` is not NAME=FILE.npy", flag, printable(argument)));
    tensors[argument.substr(0, equal)] = read_npy(argument.substr(equal + 1));
  }
  return tensors;
}

HostTensor as_input(const HostTensor& tensor, const std::string& name, DType dtype, Code code) {
  if (tensor.dtype() == dtype) return tensor;
  if (is_float(tensor.dtype()) && is_float(dtype)) return from_f32(dtype, tensor.dims(), to_f32(tensor));
  if (!is_integer(tensor.dtype()) || !is_integer(dtype))
    throw Error(
        code, fmt::format("input `{}` is {}, the model takes {}", printable(name), tensor.dtype(), dtype),
        dtype == DType::u8 ? "give the bytes of the pictures, [batch, H, W, 3], resized and cropped: the model normalises them" : "");
  HostTensor out(dtype, tensor.dims());
  for (int64_t i = 0; i < out.count(); ++i) {
    out.set_int(i, tensor.at_int(i));
    if (out.at_int(i) != tensor.at_int(i))
      throw Error(code, fmt::format("input `{}`, value {}: {} is no {}", printable(name), i, tensor.at_int(i), dtype));
  }
  return out;
}

HostTensor take(NamedTensors& tensors, const std::string& name, DType dtype, size_t rank) {
  auto found = tensors.find(name);
  if (found == tensors.end()) {
    std::vector<std::string> names;
    for (const auto& [given, tensor] : tensors) names.push_back(given);
    throw Error(Code::kUsage, fmt::format("input `{}` is not given (given: {})", name, names.empty() ? "none" : join(names, ", ")),
                "add --input " + name + "=FILE.npy");
  }
  const HostTensor tensor = found->second;
  tensors.erase(found);
  if (tensor.rank() != static_cast<int64_t>(rank))
    throw Error(Code::kUsage, fmt::format("input `{}` has rank {}, the model takes {}", name, tensor.rank(), rank));
  return as_input(tensor, name, dtype);
}

Tensors take_all(NamedTensors& given, const plan::Plan& plan) {
  Tensors tensors;
  int64_t batch = -1;
  for (const auto& binding : plan.inputs) {
    const auto& buffer = plan.buffers[binding.buffer];
    HostTensor tensor = take(given, binding.name, buffer.dtype, buffer.dims.size() + 1);
    if (batch < 0) batch = tensor.dims()[0];
    if (tensor.dims() != dims_at(plan, binding, batch))
      throw Error(Code::kUsage, fmt::format("input `{}` is {}, the engine takes [{}]", binding.name, describe(tensor),
                                            fmt::join(dims_at(plan, binding, batch), ",")));
    tensors.inputs.push_back(std::move(tensor));
  }
  if (batch <= 0) throw Error(Code::kUsage, "the inputs hold no item (batch 0)");
  for (const auto& binding : plan.outputs) tensors.outputs.emplace_back(plan.buffers[binding.buffer].dtype, dims_at(plan, binding, batch));
  return tensors;
}

void no_leftover(const NamedTensors& tensors) {
  if (!tensors.empty()) throw Error(Code::kUsage, fmt::format("the model has no input `{}`", printable(tensors.begin()->first)));
}

}  // namespace octet::cli
