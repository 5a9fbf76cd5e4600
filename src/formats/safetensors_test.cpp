#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "base/text.h"
#include "formats/hostile_testing.h"

namespace octet {
namespace {

using testing::blob_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::raw;
using testing::TemporaryDirectory;

uint32_t crc(const void* data, size_t size) { return static_cast<uint32_t>(crc32_z(0, static_cast<const Bytef*>(data), size)); }
uint32_t crc(const HostTensor& tensor) { return crc(tensor.bytes().data(), tensor.bytes().size()); }

// Expected numbers: Python's json, struct and zlib on the same file.
TEST(Safetensors, ReadsTheRealCheckpoint) {
  const auto file = Safetensors::open(testing::model_dir() / "model.safetensors");
  EXPECT_EQ(file.names().size(), 402u);
  EXPECT_EQ(file.names().front(), "logit_scale");
  EXPECT_EQ(file.names().back(), "visual_projection.weight_quantizer._amax");
  const std::string names = join(file.names(), "\n");
  EXPECT_EQ(crc(names.data(), names.size()), 0x1c7ecef5u);
  EXPECT_THAT(file.metadata(), ElementsAre(std::pair<const std::string, std::string>("format", "pt")));
  EXPECT_EQ(describe(file.at("logit_scale")), "f16[]");
  EXPECT_EQ(file.at("logit_scale").at(0), 0x1.48cp+1);
  const auto& embedding = file.at("text_model.embeddings.token_embedding.weight");
  EXPECT_EQ(describe(embedding), "f16[49408,128]");
  EXPECT_EQ(embedding.at(0), 0x1.254p-5);
  EXPECT_EQ(crc(embedding), 0xa5593f76u);
  EXPECT_EQ(describe(file.at("vision_model.embeddings.patch_embedding.weight")), "f16[256,3,4,4]");
  EXPECT_EQ(crc(file.at("vision_model.embeddings.patch_embedding.weight")), 0x61b24eb0u);
  EXPECT_EQ(file.at("text_model.encoder.layers.0.mlp.fc1.input_quantizer._amax").at(0), 3.875);
  EXPECT_EQ(file.at("vision_model.encoder.layers.7.self_attn.bmm2_output_quantizer._amax").at(0), 0x1.8ecp+1);
}

TEST(Safetensors, NamesTheNearestTensor) {
  const auto file = Safetensors::open(testing::model_dir() / "model.safetensors");
  EXPECT_FALSE(file.has("visual_projection.weights"));
  EXPECT_THAT(
      error_of([&] { file.at("visual_projection.weights"); }),
      ::testing::AllOf(HasSubstr("no tensor `visual_projection.weights`"), HasSubstr("nearest name there is `visual_projection.weight`")));
  EXPECT_THAT(error_of([&] { file.at(std::string(1'000'000, 'x')); }), HasSubstr("no tensor `xxx"));
}

std::string file_of(const std::string& json, const std::string& data) { return raw(uint64_t{json.size()}) + json + data; }

TEST(Safetensors, ReadsEveryDtypeAndOddOffsets) {
  const std::string data = std::string("\x81\x38", 2) + raw(0.5) + raw(1.5f) + raw(uint16_t{0x3c00}) + raw(uint16_t{0x3f80}) +
                           raw(int64_t{-9}) + raw(int32_t{-8}) + raw(int8_t{-7}) + "\x01" + "\x3c" + "\x80";
  const auto file = Safetensors::parse(blob_of(file_of(
      R"({"u8":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"e4m3":{"dtype":"F8_E4M3","shape":[],"data_offsets":[1,2]},)"
      R"("f64":{"dtype":"F64","shape":[1],"data_offsets":[2,10]},"f32":{"dtype":"F32","shape":[1],"data_offsets":[10,14]},)"
      R"("f16":{"dtype":"F16","shape":[1,1],"data_offsets":[14,16]},"bf16":{"dtype":"BF16","shape":[1],"data_offsets":[16,18]},)"
      R"("i64":{"dtype":"I64","shape":[1],"data_offsets":[18,26]},"i32":{"dtype":"I32","shape":[1],"data_offsets":[26,30]},)"
      R"("i8":{"dtype":"I8","shape":[1],"data_offsets":[30,31]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[31,32]},)"
      R"("e5m2":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[32,33]},"e8m0":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[33,34]},)"
      R"("none":{"dtype":"F32","shape":[0,4611686018427387905,8],"data_offsets":[34,34]}}  )",
      data)));
  const std::map<std::string, double> expected = {{"u8", 129}, {"e4m3", 1}, {"f64", 0.5}, {"f32", 1.5}, {"f16", 1},  {"bf16", 1},
                                                  {"i64", -9}, {"i32", -8}, {"i8", -7},   {"b", 1},     {"e5m2", 1}, {"e8m0", 2}};
  for (const auto& [name, value] : expected) EXPECT_EQ(file.at(name).at(0), value) << name;
  EXPECT_EQ(file.at("none").count(), 0);
  EXPECT_EQ(file.names().front(), "u8");
}

TEST(Safetensors, WritesTheFormatByteForByte) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "x.safetensors";
  const std::pair<std::string, HostTensor> tensors[] = {{"a\"b", from_f32(DType::e4m3, {3}, std::vector<float>{1, 2, -1})},
                                                        {"s", from_f32(DType::f16, {}, std::vector<float>{1})},
                                                        {"w", from_f32(DType::f32, {1, 2}, std::vector<float>{1, 2})},
                                                        {"t", from_f32(DType::f16, {1}, std::vector<float>{2})}};
  write_safetensors(path, tensors, {{"format", "pt"}});
  const std::string json = R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                           R"("s":{"dtype":"F16","shape":[],"data_offsets":[8,10]},"t":{"dtype":"F16","shape":[1],"data_offsets":[10,12]},)"
                           R"("a\"b":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[12,15]}})";
  const std::string padded = json + std::string((8 - json.size() % 8) % 8, ' ');
  EXPECT_EQ(read_text(path), file_of(padded, raw(1.0f) + raw(2.0f) + raw(uint16_t{0x3c00}) + raw(uint16_t{0x4000}) + "\x38\x40\xb8"));
  const auto read = Safetensors::open(path);
  EXPECT_THAT(read.names(), ElementsAre("w", "s", "t", "a\"b"));
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(read.at(name).same_bytes(tensor)) << name;
}

TEST(Safetensors, WritesAStreamOneTensorAtATime) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "x.safetensors";
  const std::vector<TensorSpec> specs = {{"bytes", DType::u8, {3}}, {"wide", DType::f32, {2, 8}}, {"empty", DType::f32, {0}}};
  std::vector<size_t> order;
  write_safetensors(path, specs, {}, [&](size_t i) {
    order.push_back(i);
    HostTensor tensor(specs[i].dtype, specs[i].dims);
    for (int64_t k = 0; k < tensor.count(); ++k) tensor.set(k, static_cast<double>(k + 1));
    return tensor;
  });
  EXPECT_THAT(order, ElementsAre(1, 2, 0));
  const auto read = Safetensors::open(path);
  EXPECT_EQ(read.at("wide").at(15), 16);
  EXPECT_EQ(read.at("bytes").at(2), 3);
  EXPECT_TRUE(read.metadata().empty());
}

TEST(Safetensors, LeavesNoTraceWhenAWriteFails) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "x.safetensors";
  write_text(path, "old");
  const std::vector<TensorSpec> specs = {{"a", DType::f32, {4}}};
  EXPECT_ANY_THROW(write_safetensors(path, specs, {}, [](size_t) -> HostTensor { throw std::runtime_error("no"); }));
  EXPECT_EQ(read_text(path), "old");
  const std::vector<TensorSpec> twice = {{"a", DType::f32, {4}}, {"a", DType::f32, {4}}};
  EXPECT_THAT(error_of([&] { write_safetensors(path, twice, {}, [](size_t) { return HostTensor(DType::f32, {4}); }); }),
              HasSubstr("`a` is taken"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Safetensors, ReadsShardsByTheirIndex) {
  const TemporaryDirectory directory;
  const auto write = [&](const char* file, const char* name, float value) {
    const std::pair<std::string, HostTensor> tensors[] = {{name, from_f32(DType::f32, {1}, std::vector<float>{value})}};
    write_safetensors(directory.path() / file, tensors);
  };
  const auto index = [&](const std::string& map) {
    write_text(directory.path() / "model.safetensors.index.json", R"({"metadata":{"total_size":8},"weight_map":)" + map + "}");
  };
  const auto error = [&] { return error_of([&] { open_checkpoint_tensors(directory.path()); }); };
  EXPECT_THAT(error(), HasSubstr("neither model.safetensors nor"));
  write("model-00001-of-00002.safetensors", "a", 1);
  write("model-00002-of-00002.safetensors", "b", 2);
  index(R"({"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"})");
  const auto both = open_checkpoint_tensors(directory.path());
  EXPECT_EQ(both.at("a").at(0), 1);
  EXPECT_EQ(both.at("b").at(0), 2);
  EXPECT_EQ(both.names().size(), 2u);

  for (const char* name : {"../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..", "", ".safetensors", "a\\\\b.safetensors",
                           "x.bin", "x\\u0000.safetensors"}) {
    index(R"({"a":")" + std::string(name) + "\"}");
    EXPECT_THAT(error(), HasSubstr("plain file names")) << name;
  }
  index(R"({"a":"model-00002-of-00002.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("tensor `b` is not where"));
  index(R"({"a":"model-00001-of-00002.safetensors","c":"model-00001-of-00002.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("holds 1 tensors"));
  index(R"({"a":"model-00003-of-00002.safetensors"})");
  EXPECT_EQ(testing::code_of([&] { open_checkpoint_tensors(directory.path()); }), Code::kIo);
  index(R"({"a":"x.safetensors","a":"y.safetensors"})");
  EXPECT_THAT(error(), HasSubstr("duplicate JSON key"));
  index("3");
  EXPECT_THAT(error(), HasSubstr("weight_map"));
  index("{}");
  EXPECT_THAT(error(), HasSubstr("empty"));
}

}  // namespace
}  // namespace octet
