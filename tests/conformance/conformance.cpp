// Every operation, type and edge on every backend of this machine, judged by the oracle: the CPU; a GPU with the rows that it would
// choose, with each row of the tables where it applies, and with the portable ones. Outputs hold NaN before, so that what a kernel
// leaves out shows; an item must give the same bits alone and in a batch. Where there is no GPU its tests are skipped.
//   octet_conformance --gtest_filter='*cuda*gemm_e4m3*'
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "cuda/backend.h"
#include "cuda/kernels/attention/attention.h"
#include "cuda/kernels/attention/attention_unfused.h"
#include "cuda/kernels/gemm/gemm.h"
#include "cuda/kernels/norm/norm.h"
#include "group.h"
#include "oracle/compare.h"
#include "plan/uses.h"

namespace octet::conformance {
namespace {

// A backend, and the kernel row that it must use: steps that other rows run are left to other targets.
struct Target {
  std::string name;
  bool gpu = false;
  cuda::CudaOptions options = {};
  std::string row = {};
};

std::vector<Target> targets() {
  std::vector<Target> all{
      {"cpu"}, {"cuda", true, {.tune = false, .rows = {}}}, {"cuda_portable", true, {.portable_code = true, .tune = false, .rows = {}}}};
  const auto add = [&](const auto& rows) {
    for (const auto& row : rows)
      all.push_back({"cuda_row_" + std::string(row.name), true, {.tune = false, .rows = {std::string(row.name)}}, std::string(row.name)});
  };
  add(cuda::gemm_kernels());
  add(cuda::attention_kernels());
  add(cuda::attention_unfused_rows());
  add(cuda::norm_kernels());
  return all;
}

std::string word(std::string_view text, size_t which) {
  for (; which > 0; --which) text.remove_prefix(std::min(text.size(), text.find('_') == text.npos ? text.size() : text.find('_') + 1));
  return std::string(text.substr(0, text.find('_')));
}
// "gemm_e4m3_wgmma_64x256" may run cases of "gemm_e4m3", "gemm_any_simt" those of every type.
bool concerns(const Target& target, const std::string& group) {
  if (target.gpu && group == "softmax") return false;  // no GPU kernel takes masks
  if (target.gpu && group == "masked") return false;   // no GPU kernel takes masks or token types
  if (target.row.empty()) return true;
  if (word(target.row, 0) != word(group, 0)) return false;
  const std::string type = word(group, 1), takes = word(target.row, 1);
  return type.empty() || takes == "any" || takes == type;
}

struct Trial {
  Target target;
  std::string group;
};
std::vector<Trial> trials() {
  std::vector<Trial> all;
  for (const Target& target : targets())
    for (const std::string& group : group_names())
      if (concerns(target, group)) all.push_back({target, group});
  return all;
}
std::string name_of_trial(const testing::TestParamInfo<Trial>& info) { return info.param.target.name + "__" + info.param.group; }

const Group& group_of(const std::string& name) {
  static std::map<std::string, Group> made;
  const auto found = made.find(name);
  return found != made.end() ? found->second : made.emplace(name, make_group(name)).first->second;
}

// The first GPU's error, found once; empty if there is a GPU.
const std::string& why_no_gpu() {
  static const std::string why = [] {
    try {
      cuda::make_backend(0, {});
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  }();
  return why;
}

using Bytes = std::vector<std::byte>;

class Judge {
 public:
  Judge(const Trial& trial, const Backend& backend)
      : row_(trial.target.row),
        group_(group_of(trial.group)),
        executable_(backend.prepare(group_.plan, {.chunk = -1})),
        context_(executable_->new_context()) {
    context_->reserve(kLargestBatch);
  }
  // The cases that were judged. Those of one batch after another: a change may move every buffer.
  int run() {
    int judged = 0;
    for (const int64_t batch : {int64_t{5}, int64_t{3}, int64_t{1}})
      for (size_t step = 0; step < group_.cases.size(); ++step)
        if (group_.cases[step].batch == batch && taken(step)) in_batch(step), ++judged;
    for (const auto& [step, item] : items_) alone(step, item);
    return judged;
  }

 private:
  struct Item {
    std::map<plan::Id, Bytes> inputs;
    Bytes out;
  };

  bool taken(size_t step) const { return executable_->choices()[step].kernel.find(row_) != std::string::npos; }

  void in_batch(size_t step) {
    const Case& c = group_.cases[step];
    std::map<plan::Id, Bytes> inputs;
    std::vector<const std::byte*> buffers(group_.plan->buffers.size());
    for (const plan::Id id : plan::reads_of(group_.plan->steps[step].op)) {
      const auto [found, added] = inputs.try_emplace(id);
      if (added) found->second = group_.values(id, c);
      buffers[id] = found->second.data();
    }
    const Bytes out = execute(step, c.batch, inputs);
    const auto exact = oracle::exact_step(*group_.plan, step, buffers, c.batch, {}, &pool_, executable_->choices()[step].accumulation);
    const oracle::StepVerdict verdict = oracle::judge(*group_.plan, step, exact, out);
    if (verdict.unexplained > 0) report(step, exact, verdict, out);
    if (c.batch > 1) items_.emplace(step, last_item(inputs, out, c.batch));
  }

  static Item last_item(const std::map<plan::Id, Bytes>& inputs, const Bytes& out, int64_t batch) {
    const auto last = [&](const Bytes& bytes) {
      const auto size = static_cast<std::ptrdiff_t>(bytes.size()) / batch;
      return Bytes(bytes.end() - size, bytes.end());
    };
    Item item{{}, last(out)};
    for (const auto& [id, bytes] : inputs) item.inputs.emplace(id, last(bytes));
    return item;
  }
  void alone(size_t step, const Item& item) {
    const Bytes out = execute(step, 1, item.inputs);
    if (std::ranges::equal(out, item.out)) return;
    if (failures_++ < kFailuresShown)
      ADD_FAILURE() << title(step) << ": the last item gives other bits alone than in the batch, seed " << group_.cases[step].seed;
  }

  Bytes execute(size_t step, int64_t batch, const std::map<plan::Id, Bytes>& inputs) {
    const plan::Id out = plan::out_of(group_.plan->steps[step].op);
    const auto memory = context_->buffer(out, batch);
    std::memset(memory.data(), 0xff, memory.size());
    for (const auto& [id, bytes] : inputs) std::memcpy(context_->buffer(id, batch).data(), bytes.data(), bytes.size());
    context_->run_step(step, batch);
    const auto result = context_->buffer(out, batch);
    return {result.begin(), result.end()};
  }

  std::string title(size_t step) const {
    return plan::problem_of(*group_.plan, group_.plan->steps[step], group_.cases[step].batch) + " on " +
           executable_->choices()[step].kernel;
  }
  void report(size_t step, const oracle::ExactOutput& exact, const oracle::StepVerdict& verdict, const Bytes& out) {
    if (failures_++ >= kFailuresShown) return;
    const auto at = static_cast<size_t>(verdict.first_unexplained);
    double actual = 0;
    oracle::decode(group_.plan->buffers[plan::out_of(group_.plan->steps[step].op)].dtype, out.data(), verdict.first_unexplained, 1,
                   &actual);
    ADD_FAILURE() << title(step) << ": " << verdict.unexplained << " of " << verdict.elements << " elements, the first in row "
                  << verdict.first_unexplained / exact.cols << " column " << verdict.first_unexplained % exact.cols << ": " << actual
                  << " for " << exact.value[at] << " +- " << exact.bound[at] << "; largest error " << verdict.max_abs << ", cosine "
                  << verdict.cosine << ", seed " << group_.cases[step].seed;
  }

  static constexpr int kFailuresShown = 5;
  std::string row_;
  const Group& group_;
  std::shared_ptr<const Executable> executable_;
  std::unique_ptr<Context> context_;
  std::map<size_t, Item> items_;
  ThreadPool pool_{usable_cores()};
  int failures_ = 0;
};

class Conformance : public testing::TestWithParam<Trial> {};

TEST_P(Conformance, Holds) {
  const Trial& trial = GetParam();
  if (trial.target.gpu && !why_no_gpu().empty()) GTEST_SKIP() << why_no_gpu();
  const auto backend = trial.target.gpu ? cuda::make_backend(0, trial.target.options) : cpu::make_backend();
  const int judged = Judge(trial, *backend).run();
  if (judged == 0) GTEST_SKIP() << "no case of " << trial.group << " runs on " << trial.target.row << " here";
  RecordProperty("cases", judged);
  std::printf("%d cases\n", judged);
}

INSTANTIATE_TEST_SUITE_P(Every, Conformance, testing::ValuesIn(trials()), name_of_trial);

}  // namespace
}  // namespace octet::conformance

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
