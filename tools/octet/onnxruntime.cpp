#include "onnxruntime.h"

#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "formats/npy.h"

namespace octet::cli {
namespace {

// Reads a request from its input: {model, inputs {name: file}, tensors [name], out (folder)}; writes out/I.npy for tensors[I].
constexpr std::string_view kScript = R"(
import json, sys
try:
    import numpy as np, onnx, onnxruntime as ort
except ImportError as error:
    sys.exit("import: %s" % error)
ask = json.load(sys.stdin)
model = onnx.load(ask["model"])
known = {name for node in model.graph.node for name in node.output} | {x.name for x in model.graph.input}
have = {x.name for x in model.graph.output}
wanted = [name for name in ask["tensors"] if name in known]
model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in have)
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
options.log_severity_level = 3
session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
kinds = {x.name: x.type for x in session.get_outputs()}
def e4m3(codes):
    code = codes.view(np.uint8).astype(np.int32)
    power, rest = (code >> 3) & 15, (code & 7) / 8
    value = np.where(power == 0, rest * 2.0**-6, (1 + rest) * 2.0**(power - 7))
    return np.where((code & 127) == 127, np.nan, np.where(code & 128, -value, value))
feeds = {name: np.load(file) for name, file in ask["inputs"].items()}
for index, name in enumerate(ask["tensors"]):
    ask["tensors"][index] = name if name in known else None
results = dict(zip(wanted, session.run(wanted, feeds)))
for index, name in enumerate(ask["tensors"]):
    if name is not None:
        value = np.asarray(results[name])
        if "float8e4m3fn" in kinds[name]:
            value = e4m3(value)
        np.save("%s/%d.npy" % (ask["out"], index), value if value.dtype == np.float16 else value.astype(np.float32))
)";
constexpr std::chrono::minutes kPatience{30};  // a full-size FP8 tower at batch 8 takes half a minute on two cores

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "octet-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) fail(Code::kIo, "cannot make a folder in {}", std::filesystem::temp_directory_path().string());
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

[[noreturn]] void refuse(const std::string& python, const ProcessResult& result) {
  const std::string_view last = trim(result.err).substr(trim(result.err).find_last_of('\n') + 1);
  if (result.end == ProcessResult::End::kNotFound)
    throw Error(Code::kUnsupported, fmt::format("there is no `{}` to run onnxruntime with", python), "--python PATH names one");
  if (last.starts_with("import: "))
    throw Error(Code::kUnsupported, fmt::format("`{}` has no onnxruntime: {}", python, printable(last.substr(8))),
                "pip install onnxruntime onnx numpy, or --python PATH");
  if (result.end == ProcessResult::End::kTimedOut) fail(Code::kUnsupported, "onnxruntime did not finish in {} minutes", kPatience.count());
  fail(Code::kUnsupported, "onnxruntime does not run the model: {}", printable(last, 1000));
}

}  // namespace

NamedTensors run_onnxruntime(const std::string& python, const std::filesystem::path& model, const NamedTensors& inputs,
                             const std::vector<std::string>& tensors) {
  const TemporaryFolder folder;
  nlohmann::json ask{{"model", model.string()}, {"tensors", tensors}, {"out", folder.path().string()}};
  for (const auto& [name, tensor] : inputs) {
    const auto file = folder.path() / fmt::format("in{}.npy", ask["inputs"].size());
    write_npy(file, tensor);
    ask["inputs"][name] = file.string();
  }
  const std::vector<std::string> argv{python, "-c", std::string(kScript)};
  const ProcessResult result =
      run_process(argv, ask.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), {.time = kPatience, .output_bytes = 1 << 20});
  if (!result.ok()) refuse(python, result);
  NamedTensors found;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (const auto file = folder.path() / fmt::format("{}.npy", i); std::filesystem::exists(file))
      found.emplace(tensors[i], read_npy(file));
  return found;
}

}  // namespace octet::cli
