// One step of a plan, made ready for a GPU: chosen and compiled kernels, resident weights. One file per operation.
// Preparing has two halves: steps first say what they need (Preparation), then everything is compiled and uploaded at once (Resident),
// and steps run with what they were given numbers for.
#pragma once
#include <map>
#include <memory>
#include <span>

#include "cuda/backend.h"
#include "cuda/program.h"
#include "cuda/tuning.h"
#include "plan/plan.h"

namespace octet::cuda {

// What the steps of a plan keep on the GPU.
struct Resident {
  std::shared_ptr<Device> device;
  Gpu gpu;  // with CudaOptions::portable_code
  CudaOptions options;
  DeviceBytes weights;                                     // one allocation
  std::vector<uint64_t> offsets;                           // by slot
  std::vector<std::shared_ptr<const Function>> functions;  // by program number
  size_t code_bytes = 0;                                   // what loading the code took of the GPU's memory
  std::shared_ptr<Tuning> tuning;
  Address at(size_t slot) const { return weights.address() + offsets[slot]; }
};

// Collects what steps need. Slots and program numbers index Resident.
class Preparation {
 public:
  Preparation(const plan::Plan& plan, const Gpu& gpu, const CudaOptions& options) : plan(plan), gpu(gpu), options(options) {}
  size_t weight(plan::Id id);                       // as the plan stores it, once however often asked for
  size_t vector(const std::vector<float>& values);  // f32, zeros up to a multiple of 256
  size_t bytes(std::vector<std::byte> content);
  size_t program(Program program);
  Resident finish(std::shared_ptr<Device> device) const;

  const plan::Plan& plan;
  const Gpu& gpu;
  const CudaOptions& options;

 private:
  size_t add(std::span<const std::byte> content);
  std::vector<std::span<const std::byte>> contents_;
  std::vector<std::vector<std::byte>> owned_;
  std::map<plan::Id, size_t> weights_;
  std::vector<Program> programs_;
};

// What a step works on: the addresses of plan buffers for `batch` items.
struct StepRun {
  const Resident& resident;
  const Stream& stream;
  std::span<const Address> buffers;
  int64_t batch;
  Address scratch;  // scratch_bytes of it
  bool backward;    // every other step: kernel.h
};

class PreparedStep {
 public:
  virtual ~PreparedStep() = default;
  virtual void enqueue(const StepRun& run) const = 0;
  virtual size_t scratch_bytes([[maybe_unused]] int64_t batch) const { return 0; }
  // Decides between competing kernels for a batch size, by timing them on the stream. Before the first enqueue of that batch.
  virtual void tune([[maybe_unused]] const Resident& resident, [[maybe_unused]] const Stream& stream,
                    [[maybe_unused]] int64_t batch) const {}
  // What runs at a tuned batch.
  virtual std::string kernel([[maybe_unused]] const Resident& resident, [[maybe_unused]] int64_t batch) const { return choice.kernel; }
  StepChoice choice;
};

std::unique_ptr<PreparedStep> prepare_embed(Preparation& with, const plan::Embed& op);
std::unique_ptr<PreparedStep> prepare_patch_embed(Preparation& with, const plan::PatchEmbed& op);
std::unique_ptr<PreparedStep> prepare_norm(Preparation& with, const plan::Norm& op);
std::unique_ptr<PreparedStep> prepare_gemm(Preparation& with, const plan::Gemm& op);
std::unique_ptr<PreparedStep> prepare_attention(Preparation& with, const plan::Attention& op);
std::unique_ptr<PreparedStep> prepare_pool(Preparation& with, const plan::Pool& op);
std::unique_ptr<PreparedStep> prepare_l2normalize(Preparation& with, const plan::L2Normalize& op);
std::unique_ptr<PreparedStep> prepare_scores(Preparation& with, const plan::Scores& op);
std::unique_ptr<PreparedStep> prepare_softmax(Preparation& with, const plan::Softmax& op);
std::unique_ptr<PreparedStep> prepare_values(Preparation& with, const plan::Values& op);
std::unique_ptr<PreparedStep> prepare_fake_quantize(Preparation& with, const plan::FakeQuantize& op);
std::unique_ptr<PreparedStep> prepare_pointwise(Preparation& with, const plan::Pointwise& op);

// A weight as f32, or `count` copies of `fallback` when id is kNoId.
std::vector<float> weight_f32(const plan::Plan& plan, plan::Id id, size_t count, float fallback = 0);

// Whether CudaOptions::rows names this row.
bool is_preferred(const CudaOptions& options, std::string_view name);

// The rows that this GPU can run and that accept the problem, in order of preference; every refusal that stands before the first of
// them goes into `choice`. Throws Error{kUnsupported} if there is none.
template <class Row>
std::vector<const Row*> accepting(std::span<const Row> rows, const typename Row::Problem& problem, const Gpu& gpu,
                                  const CudaOptions& options, StepChoice& choice) {
  std::vector<const Row*> preferred, others;
  for (const Row& row : rows) {
    Refusal no = accepts_target(gpu, row.target);
    if (!no) no = row.accepts(problem, gpu);
    if (no) {
      if (others.empty()) choice.refused.push_back(std::string(row.name) + ": " + no.reason);
      continue;
    }
    (is_preferred(options, row.name) ? preferred : others).push_back(&row);
  }
  preferred.insert(preferred.end(), others.begin(), others.end());
  if (preferred.empty()) {
    std::string why;
    for (const std::string& no : choice.refused) why += "\n  " + no;
    throw Error(Code::kUnsupported, "no CUDA kernel takes this step:" + why, "use --device cpu");
  }
  choice.kernel = preferred.front()->name;
  choice.accumulation = preferred.front()->accumulation;
  return preferred;
}

// A row made ready for one problem.
template <class Row>
class Kernel {
 public:
  Kernel(Preparation& with, const Row& row, const typename Row::Problem& problem) : row_(&row), problem_(problem) {
    Program program = row.program(problem, with.gpu);
    program.target = row.target;
    program_ = with.program(std::move(program));
  }
  // The first row that accepts.
  Kernel(Preparation& with, std::span<const Row> rows, const typename Row::Problem& problem, StepChoice& choice)
      : Kernel(with, *accepting(rows, problem, with.gpu, with.options, choice).front(), problem) {}
  void enqueue(const Resident& resident, const Stream& stream, const typename Row::Args& args) const {
    resident.functions[program_]->launch(row_->launch(problem_, resident.gpu, args), stream);
  }
  void enqueue(const StepRun& run, const typename Row::Args& args) const { enqueue(run.resident, run.stream, args); }
  std::string_view name() const { return row_->name; }

 private:
  const Row* row_;
  typename Row::Problem problem_;
  size_t program_;
};

}  // namespace octet::cuda
