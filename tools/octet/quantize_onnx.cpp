// octet quantize MODEL.onnx: the file with Q/DQ at observed ranges.
#include <algorithm>

#include "base/text.h"
#include "console.h"
#include "formats/onnx/write.h"
#include "npy_inputs.h"
#include "passes/cast_floats.h"
#include "quantize_graph.h"
#include "quantize_parts.h"

namespace octet::cli {
namespace {

constexpr size_t kListed = 8;  // nodes a message names

// Rows [begin, begin + count) of an array, as a view.
HostTensor rows_of(const HostTensor& tensor, int64_t begin, int64_t count) {
  std::vector<int64_t> dims = tensor.dims();
  const size_t row = tensor.bytes().size() / static_cast<size_t>(dims[0]);
  dims[0] = count;
  return HostTensor(tensor.dtype(), dims, tensor.bytes().subspan(static_cast<size_t>(begin) * row, static_cast<size_t>(count) * row),
                    nullptr);
}

// The arrays given for a model's inputs, which must hold as many items each; handed out in batches, converted a batch at a time.
class CalibrationArrays {
 public:
  CalibrationArrays(const std::vector<std::string>& arguments, const plan::Plan& plan)
      : plan_(plan), arrays_(read_inputs(arguments, "--calib-input")) {
    for (const auto& binding : plan.inputs) {
      const auto found = arrays_.find(binding.name);
      if (found == arrays_.end())
        throw Error(Code::kUsage, fmt::format("calibration data for input `{}` is missing", printable(binding.name)),
                    fmt::format("add --calib-input {}=FILE.npy", printable(binding.name)));
      if (found->second.rank() == 0 || found->second.dims()[0] == 0)
        throw Error(Code::kUsage, fmt::format("the array for input `{}` holds no item", printable(binding.name)));
      if (items_ == 0) items_ = found->second.dims()[0];
      if (found->second.dims()[0] != items_)
        throw Error(Code::kUsage,
                    fmt::format("input `{}` has {} items, another {}", printable(binding.name), found->second.dims()[0], items_));
    }
    for (const auto& [name, tensor] : arrays_)
      if (std::ranges::none_of(plan.inputs, [&](const plan::Binding& b) { return b.name == name; }))
        throw Error(Code::kUsage, fmt::format("the model has no input `{}`", printable(name)));
  }
  int64_t items() const { return items_; }
  std::vector<HostTensor> next() {
    const int64_t count = std::min(kCalibrationBatch, items_ - done_);
    NamedTensors batch;
    for (const auto& [name, tensor] : arrays_) batch[name] = rows_of(tensor, done_, count);
    done_ += count;
    return take_all(batch, plan_).inputs;
  }

 private:
  const plan::Plan& plan_;
  NamedTensors arrays_;
  int64_t items_ = 0, done_ = 0;
};

void tell(const std::string& what, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  say("{}:", what);
  for (size_t i = 0; i < std::min(lines.size(), kListed); ++i) say("  {}", lines[i]);
  if (lines.size() > kListed) say("  and {} more", lines.size() - kListed);
}

}  // namespace

int quantize_onnx(const QuantizeFlags& flags) {
  const QuantizeOptions options = flags.options();
  const auto backend = make_backend(flags.device);
  Graph graph = load_model(flags.model);
  const int opset = flags.opset > 0 ? flags.opset : std::max(graph.opset, kOldestFp8Opset);
  graph = prepare_to_quantize(std::move(graph), opset);
  const Trunk trunk = compile_trunk(graph, backend);
  tell(fmt::format("{} of {} nodes lie behind what compiles and stay as they are; where fused steps end", trunk.nodes, graph.node_count()),
       trunk.left);
  CalibrationArrays arrays(flags.inputs, *trunk.plan);
  const auto sites = observe(trunk.plan, *backend, flags.device, "observing", arrays.items(), [&] { return arrays.next(); });
  QuantizedGraph quantized = quantize_graph(std::move(graph), sites, options);
  if (flags.precision == "fp16") passes::cast_floats(quantized.graph, DType::f16);
  if (flags.precision == "bf16") passes::cast_floats(quantized.graph, DType::bf16);
  write_onnx(quantized.graph, flags.output);
  print_quantizers(flags, {{"items", arrays.items()}}, quantized.tensors);
  tell("in its float type", quantized.notes);
  say("{}: {} quantizers, from {} items", flags.output, quantized.tensors.size(), arrays.items());
  return 0;
}

}  // namespace octet::cli
