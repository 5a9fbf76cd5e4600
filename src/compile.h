// The compiler in one page: a model file becomes a plan. Everything the CLI's export, check and exec do goes through here.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pipeline.h"
#include "plan/plan.h"
#include "runtime/backend.h"

namespace octet {

struct CompileOptions {
  passes::Options passes;        // switched-off passes, dumps
  std::string processor_sha256;  // of the processor/ beside the model; "" if none
  bool self_check = true;        // run each distinct (kernel, problem) once against the exact reference
  int threads = 0;
  std::shared_ptr<const Backend> backend;  // whose kernels the self-check judges; null: the CPU's
};
struct CompileReport {
  std::vector<passes::Report> passes;  // and the lowering, by the name of what it fuses
  int self_checks = 0;                 // distinct (kernel, problem) pairs checked
  double seconds = 0, self_check_seconds = 0;
};

// Reads an ONNX file. Types are not checked yet. Throws Error{kIo, kInvalid, kUnsupported}.
Graph load_model(const std::filesystem::path& path);
// graph -> check types -> passes -> lower -> self-check. Throws Error{kInvalid} (types), {kUnsupported} (what no step covers).
std::shared_ptr<const plan::Plan> compile(Graph graph, const CompileOptions& options = {}, CompileReport* report = nullptr);

}  // namespace octet
