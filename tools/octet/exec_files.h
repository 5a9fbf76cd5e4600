// Files of values, as --loadInputs and --loadRefOutputs take them.
#pragma once
#include <string>
#include <vector>

#include "numeric/host_tensor.h"

namespace octet::cli::exec {

// A .npy of these dims, or the raw values of `dtype`; with `f32_too` raw f32 values of a narrower float are taken as they are.
// Error{kInvalid} for another size, shape or kind of type, naming the tensor.
HostTensor read_values(const std::string& path, const std::string& name, DType dtype, const std::vector<int64_t>& dims, bool f32_too);

}  // namespace octet::cli::exec
