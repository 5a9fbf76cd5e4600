// --input NAME=FILE.npy, as run and compare take it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "engine_io.h"

namespace octet::cli {

using NamedTensors = std::map<std::string, HostTensor>;
NamedTensors read_inputs(const std::vector<std::string>& arguments, const char* flag = "--input");

// `tensor` as the type the model takes, when that loses nothing but float precision; else Error{code}.
HostTensor as_input(const HostTensor& tensor, const std::string& name, DType dtype, Code code = Code::kUsage);
// The tensor for input `name`, taken out of `tensors` and converted by as_input(). Error{kUsage} if it is missing or does not fit.
HostTensor take(NamedTensors& tensors, const std::string& name, DType dtype, size_t rank);
// The same for every input of a plan; outputs are made for the batch that the inputs have.
Tensors take_all(NamedTensors& tensors, const plan::Plan& plan);
void no_leftover(const NamedTensors& tensors);  // Error{kUsage} naming an input that the model lacks

}  // namespace octet::cli
