// docs/formats/plan.md against plan/fields.h: every struct's fields, in order, with their types.
#include <gtest/gtest.h>

#include "base/file.h"
#include "plan/fields.h"

namespace octet::plan {
namespace {

// Members of type uint32_t that are ids, by name: C++ does not tell them from counts.
bool is_id(std::string_view field) {
  for (const char* id : {"buffer", "ids", "out", "token", "position", "pixels", "weight", "bias", "class_token", "in", "gamma", "beta", "a",
                         "residual", "channel_scale", "mask", "types", "type", "table"})
    if (field == id) return true;
  return false;
}

template <class T>
struct TypeName;
#define NAMED(type, text)                     \
  template <>                                 \
  struct TypeName<type> {                     \
    static std::string get() { return text; } \
  }
NAMED(uint8_t, "u8");
NAMED(uint32_t, "u32");
NAMED(uint64_t, "u64");
NAMED(int64_t, "i64");
NAMED(float, "f32");
NAMED(DType, "dtype");
NAMED(std::string, "string");
NAMED(Operation, "operation");
NAMED(Activation, "activation");
NAMED(PoolMode, "pool mode");
NAMED(Binding, "Binding");
NAMED(Buffer, "Buffer");
NAMED(Weight, "Weight");
NAMED(Step, "Step");
NAMED(ColumnRange, "ColumnRange");
NAMED(AttentionInput, "AttentionInput");
NAMED(Source, "Source");
NAMED(SourceNode, "SourceNode");
template <class T>
struct TypeName<std::vector<T>> {
  static std::string get() { return TypeName<T>::get() + "[]"; }
};

struct Describe {
  std::string text;
  template <class T>
  void operator()(const char* name, const T&) {
    std::string type = TypeName<T>::get();
    if (type == "u32" && is_id(name)) type = "id";
    text += (text.empty() ? "" : ", ") + std::string(name) + " " + type;
  }
};
template <class T>
std::string row(const char* name) {
  Describe describe;
  const T value{};
  fields(value, describe);
  return std::string("| ") + name + " | " + describe.text + " |\n";
}

TEST(PlanFormat, DocumentAgreesWithTheCode) {
  const std::string document = read_text(OCTET_SOURCE_DIR "/docs/formats/plan.md");
  const auto expect = [&](const std::string& line) { EXPECT_NE(document.find(line), document.npos) << line; };
  for (const std::string& line : {row<Binding>("Binding"),
                                  row<Buffer>("Buffer"),
                                  row<Weight>("Weight"),
                                  row<Step>("Step"),
                                  row<Embed>("Embed"),
                                  row<PatchEmbed>("PatchEmbed"),
                                  row<Norm>("Norm"),
                                  row<Gemm>("Gemm"),
                                  row<ColumnRange>("ColumnRange"),
                                  row<Attention>("Attention"),
                                  row<AttentionInput>("AttentionInput"),
                                  row<Pool>("Pool"),
                                  row<L2Normalize>("L2Normalize"),
                                  row<Scores>("Scores"),
                                  row<Softmax>("Softmax"),
                                  row<Values>("Values"),
                                  row<FakeQuantize>("FakeQuantize"),
                                  row<Pointwise>("Pointwise"),
                                  row<Source>("Source"),
                                  row<SourceNode>("SourceNode")})
    expect(line);
  const auto section = [&](const char* name, auto visit_fields) {
    Describe describe;
    const Plan plan;
    visit_fields(plan, describe);
    expect(std::string("Section `") + name + "`: " + describe.text + ".\n");
  };
  section("meta", [](auto& p, auto& v) { meta_fields(p, v); });
  section("buffers", [](auto& p, auto& v) { buffer_fields(p, v); });
  section("weights", [](auto& p, auto& v) { weight_fields(p, v); });
  section("steps", [](auto& p, auto& v) { step_fields(p, v); });
  section("source", [](auto& p, auto& v) { source_fields(p, v); });
}

}  // namespace
}  // namespace octet::plan
