#include <cstring>
#include <new>

#include "base/error.h"
#include "base/text.h"
#include "plan/uses.h"
#include "runtime/engine.h"

namespace octet::runtime {
namespace {

// Keeps items * bytes-per-item (below 2^40, plan/validate.cpp) inside 64 bits.
constexpr int64_t kMaxBatch = int64_t{1} << 22;

void check_batch(int64_t batch) {
  if (batch < 0 || batch > kMaxBatch) fail(Code::kInvalid, "a batch of {}: not in [0, {}]", batch, kMaxBatch);
}

std::string names_of(std::span<const TensorInfo> infos) {
  std::string text;
  for (const TensorInfo& info : infos) text += (text.empty() ? "`" : ", `") + printable(info.name) + "`";
  return text;
}

void check_view(const TensorInfo& info, const TensorView& view, int64_t batch, const char* role) {
  if (view.dtype != info.dtype)
    fail(Code::kInvalid, "{} `{}` is {}, the engine's is {}", role, printable(info.name), name_of(view.dtype), name_of(info.dtype));
  const uint64_t bytes = static_cast<uint64_t>(batch) * info.bytes_per_item;
  if (view.bytes != bytes)
    fail(Code::kInvalid, "{} `{}` has {} bytes; {} items of {} are {} bytes", role, printable(info.name), view.bytes, batch,
         info.bytes_per_item, bytes);
  if (bytes > 0 && !view.data) fail(Code::kInvalid, "{} `{}` is a null pointer", role, printable(info.name));
}

// Sets bound[i] to the view of infos[i]: each given once, all by name or all by position.
void match(std::span<const TensorInfo> infos, std::span<const TensorView> views, int64_t batch, const char* role,
           std::span<const TensorView*> bound) {
  for (auto& entry : bound) entry = nullptr;
  if (views.size() != infos.size())
    fail(Code::kInvalid, "{} {}s given, the engine has {}: {}", views.size(), role, infos.size(), names_of(infos));
  for (size_t v = 0; v < views.size(); ++v) {
    size_t i = v;
    if (views[v].name.empty() != views[0].name.empty()) fail(Code::kInvalid, "some {}s have names and some have not", role);
    if (!views[v].name.empty())
      for (i = 0; i < infos.size() && infos[i].name != views[v].name;) ++i;
    if (i == infos.size())
      throw Error(Code::kInvalid, fmt::format("the engine has no {} `{}`", role, printable(views[v].name)), "it has " + names_of(infos));
    if (bound[i]) fail(Code::kInvalid, "{} `{}` is given twice", role, printable(infos[i].name));
    check_view(infos[i], views[v], batch, role);
    bound[i] = &views[v];
  }
}

bool overlap(const TensorView& a, const TensorView& b) {
  const auto begin = [](const TensorView& v) { return reinterpret_cast<uintptr_t>(v.data); };
  return begin(a) < begin(b) + b.bytes && begin(b) < begin(a) + a.bytes;
}

int64_t id_at(const TensorView& view, size_t i) {
  if (view.dtype == DType::i64) {
    int64_t id;
    std::memcpy(&id, static_cast<const std::byte*>(view.data) + i * sizeof(id), sizeof(id));
    return id;
  }
  int32_t id;
  std::memcpy(&id, static_cast<const std::byte*>(view.data) + i * sizeof(id), sizeof(id));
  return id;
}

}  // namespace

Session::Session(std::shared_ptr<const Engine> engine)
    : engine_(std::move(engine)),
      context_(engine_->executable().new_context()),
      bound_(engine_->inputs().size() + engine_->outputs().size()),
      inputs_(engine_->inputs().size()),
      outputs_(engine_->outputs().size()) {
  const plan::Plan& plan = engine_->plan();
  for (const plan::Step& step : plan.steps)
    for (size_t i = 0; std::holds_alternative<plan::Embed>(step.op) && i < plan.inputs.size(); ++i)
      if (const int64_t rows = plan::table_rows(plan, step.op, plan.inputs[i].buffer); rows > 0) tokens_.push_back({i, rows});
}

void Session::reserve(int64_t batch) {
  check_batch(batch);
  try {
    context_->reserve(batch);
  } catch (const std::bad_alloc&) {
    throw Error(Code::kUnsupported,
                fmt::format("a batch of {} needs {} of working memory, which cannot be had", batch,
                            human_bytes(engine_->executable().arena_bytes(batch))),
                "run smaller batches");
  }
}

void Session::check_tokens(int64_t batch) const {
  for (const Tokens& tokens : tokens_) {
    const TensorInfo& info = engine_->inputs()[tokens.input];
    const size_t per_item = info.bytes_per_item / size_of(info.dtype);
    for (size_t i = 0; i < per_item * static_cast<size_t>(batch); ++i) {
      const int64_t id = id_at(*bound_[tokens.input], i);
      if (id < 0 || id >= tokens.vocabulary)
        throw Error(Code::kInvalid,
                    fmt::format("input `{}`, item {}, position {}: token id {} is outside the vocabulary [0, {})", printable(info.name),
                                i / per_item, i % per_item, id, tokens.vocabulary),
                    "tokenize with the processor/ that was exported beside the model");
    }
  }
}

void Session::run(int64_t batch, std::span<const TensorView> inputs, std::span<const TensorView> outputs, const StepHook* hook) {
  check_batch(batch);
  const std::span bound(bound_);
  match(engine_->inputs(), inputs, batch, "input", bound.first(inputs_.size()));
  match(engine_->outputs(), outputs, batch, "output", bound.subspan(inputs_.size()));
  for (size_t out = inputs_.size(); out < bound.size(); ++out)
    for (size_t other = 0; other < out; ++other)
      if (overlap(*bound[out], *bound[other])) fail(Code::kInvalid, "the memory of an output overlaps that of another tensor");
  if (batch == 0) return;
  check_tokens(batch);
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = bound[i]->data;
  for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i] = bound[inputs_.size() + i]->data;
  reserve(batch);
  context_->run(batch, inputs_, outputs_, hook);
}

}  // namespace octet::runtime
