// Every operator on nonsense: random types, shapes, constants and attributes, small and extreme. An Error of the file's
// fault is the only way out; a crash, an internal error or a huge allocation is a defect.
#include <random>

#include "ops/testing.h"

namespace octet {
namespace {

using namespace optest;

constexpr uint32_t kSeed = 8120;
constexpr int kRounds = 400;

class Chaos final : public FieldVisitor {
 public:
  explicit Chaos(std::mt19937& random) : random_(random) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  int64_t number() {
    constexpr int64_t kExtremes[] = {INT64_MIN, INT64_MIN + 1,    INT64_MAX,           INT64_MAX - 1,
                                     INT32_MIN, int64_t{1} << 33, -(int64_t{1} << 33), int64_t{1} << 62};
    return below(5) == 0 ? kExtremes[below(std::size(kExtremes))] : below(7) - 3;
  }
  void field(std::string_view, int64_t& value) override { value = below(3) == 0 ? value : number(); }
  void field(std::string_view, float& value) override { value = below(2) == 0 ? value : static_cast<float>(number()); }
  void field(std::string_view, std::string& value) override {
    constexpr const char* kWords[] = {"", "none", "tanh", "constant", "VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET", "x"};
    value = below(2) == 0 ? value : kWords[below(std::size(kWords))];
  }
  void field(std::string_view, std::vector<int64_t>& value) override {
    if (below(2) == 0) return;
    value.clear();
    for (int64_t i = below(5); i > 0; --i) value.push_back(number());
  }
  void field(std::string_view, std::vector<float>& value) override {
    if (below(2) == 0) value.assign(static_cast<size_t>(below(3)), 1.0f);
  }
  void field(std::string_view, DType& value) override { value = static_cast<DType>(below(kDTypeCount)); }
  void field(std::string_view, HostTensor& value) override {
    if (below(2) == 0) value = any_tensor();
  }
  HostTensor any_tensor() {
    std::vector<int64_t> dims;
    for (int64_t i = below(4); i > 0; --i) dims.push_back(below(4));
    if (below(20) == 0) dims = {int64_t{1} << 40, 0, int64_t{1} << 40};
    HostTensor out(below(2) == 0 ? DType::i64 : static_cast<DType>(below(kDTypeCount)), dims);
    for (int64_t i = 0; i < out.count(); ++i) {
      if (is_integer(out.dtype())) out.set_int(i, number());
      else out.set(i, below(8) == 0 ? kNan : below(8) == 0 ? kInf : static_cast<double>(below(9)) - 4);
    }
    return out;
  }
  TensorType any_type() {
    Shape shape;
    for (int64_t i = below(5); i > 0; --i)
      shape.push_back(below(3) == 0 ? Dim(below(3) + 1, below(2) == 0 ? "batch" : "n") : Dim(below(20) == 0 ? int64_t{1} << 50 : below(5)));
    return {below(2) == 0 ? DType::f16 : static_cast<DType>(below(kDTypeCount)), shape};
  }

 private:
  std::mt19937& random_;
};

std::shared_ptr<void> any_attributes(const OpDef& def, Chaos& chaos) {
  auto attributes = def.make();
  def.visit(attributes.get(), 20, chaos);
  return attributes;
}

template <class F>
void expect_only_errors(const OpDef& def, int round, F&& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_NE(error.code(), Code::kInternal) << def.name << " round " << round << ": " << error.render();
  }
}

TEST(Hostile, references_on_nonsense) {
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed);
  Chaos chaos(random);
  for (const OpDef* def : all_ops())
    for (int round = 0; round < kRounds; ++round) {
      const auto attributes = any_attributes(*def, chaos);
      std::vector<HostTensor> tensors;
      for (int64_t i = chaos.below(5); i > 0; --i) tensors.push_back(chaos.any_tensor());
      std::vector<const HostTensor*> in;
      for (const HostTensor& one : tensors) in.push_back(chaos.below(10) == 0 ? nullptr : &one);
      expect_only_errors(*def, round, [&] { def->reference(attributes.get(), in, chaos.below(2) == 0 ? 20 : 24); });
    }
}

// Found by the test above.
TEST(Hostile, cases_that_once_failed) {
  const int64_t big = int64_t{1} << 40;
  const HostTensor empty(DType::f16, {big, 0, big}), x = tensor(DType::f16, {2}, {1, 2});
  const auto run_by_name = [](std::string_view name, const std::vector<const HostTensor*>& in) {
    const OpDef* def = find_op(name, "");
    return def->reference(def->make().get(), in, 20).at(0);
  };
  EXPECT_EQ(run_by_name("Concat", {&empty, &empty}).dims(), (std::vector<int64_t>{2 * big, 0, big}));
  EXPECT_EQ(code_of([&] { run_by_name("Flatten", {}); }), Code::kInvalid);
  const HostTensor axis = ints({1, 1}, {7});
  EXPECT_EQ(code_of([&] { run_by_name("CumSum", {&x, &axis}); }), Code::kInvalid);
}

TEST(Hostile, rules_on_nonsense) {
  RecordProperty("seed", kSeed);
  std::mt19937 random(kSeed + 1);
  Chaos chaos(random);
  for (const OpDef* def : all_ops())
    for (int round = 0; round < kRounds; ++round) {
      Graph graph;
      Node node;
      node.op = Op(*def, any_attributes(*def, chaos));
      for (int64_t i = chaos.below(5); i > 0; --i) {
        if (chaos.below(10) == 0) node.inputs.push_back(kNone);
        else
          node.inputs.push_back(chaos.below(2) == 0 ? graph.add_constant("", chaos.any_tensor()) : graph.add_input("", chaos.any_type()));
      }
      for (int64_t i = chaos.below(3); i >= 0; --i) node.outputs.push_back(graph.add_value(""));
      graph.mark_output(node.outputs[0]);
      graph.add_node(std::move(node));
      expect_only_errors(*def, round, [&] { infer_types(graph); });
    }
}

}  // namespace
}  // namespace octet
