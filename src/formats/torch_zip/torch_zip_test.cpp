#include "formats/torch_zip/torch_zip.h"

#include <gmock/gmock.h>

#include "formats/hostile_testing.h"
#include "formats/torch_zip/pickle.h"
#include "formats/zip/zip.h"

namespace octet {
namespace {

using testing::blob_of;
using testing::code_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

std::filesystem::path golden() { return std::filesystem::path(OCTET_SOURCE_DIR) / "src/formats/torch_zip/golden/state_dict.pth"; }
std::filesystem::path state() { return testing::model_dir() / "modelopt_state.pth"; }

// Expected values: golden/make_golden.py, which torch.save wrote.
TEST(TorchZip, ReadsWhatTorchSaves) {
  const PickleValue value = read_torch_zip(golden());
  const PickleValue& tensors = value.at("state");
  const auto check = [&](const char* name, const char* type, std::vector<double> expected) {
    const HostTensor& tensor = tensors.at(name).as_tensor();
    EXPECT_EQ(describe(tensor), type) << name;
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(tensor.at(static_cast<int64_t>(i)), expected[i]) << name << i;
  };
  check("f64", "f64[2]", {0.1, -2.5});
  check("f16", "f16[2,2]", {1, 65504, -0.5, 0});
  check("bf16", "bf16[2]", {1, 3.140625});
  check("i64", "i64[2]", {-0x1p62, 7});
  check("i32", "i32[1,1,1]", {-5});
  check("i8", "i8[2]", {-128, 127});
  check("u8", "u8[2]", {0, 255});
  check("flag", "bool[3]", {1, 0, 1});
  check("scalar", "f32[]", {2.5});
  check("empty", "f32[0,3]", {});
  check("tail", "f32[3,4]", {12, 13, 14, 15, 16});
  EXPECT_EQ(tensors.entries().size(), 12u) << "_metadata is an attribute, not an item";
  EXPECT_EQ(tensors.at("shared").as_tensor().bytes().data() + 48, tensors.at("tail").as_tensor().bytes().data()) << "one storage";

  EXPECT_EQ(value.at("shape").items()[1].as_int(), 12);
  EXPECT_EQ(value.at("dtype").dtype_name(), "float8_e4m3fn");
  EXPECT_EQ(value.entries().back().first.as_int(), 3);
  const auto& plain = value.at("plain").items();
  const std::vector<int64_t> integers = {0, 255, 256, 65535, 65536, -1, int64_t{1} << 31, -(int64_t{1} << 40), INT64_MAX};
  for (size_t i = 0; i < integers.size(); ++i) EXPECT_EQ(plain[3 + i].as_int(), integers[i]);
  EXPECT_EQ(plain[12].as_float(), 0.1);
  EXPECT_EQ(plain[13].as_string(), "é\n");
  for (size_t n = 0; n <= 4; ++n) EXPECT_EQ(plain[14 + n].items().size(), n);
  EXPECT_EQ(plain[19].kind(), PickleValue::Kind::kList);
  EXPECT_EQ(plain[20].kind(), PickleValue::Kind::kDict);
}

// Expected values: CPython's pickletools and a pickle.Unpickler on the same file.
TEST(TorchZip, ReadsTheRealState) {
  const PickleValue value = read_torch_zip(state());
  EXPECT_EQ(value.at("modelopt_version").as_string(), "0.47.0");
  const auto& modes = value.at("modelopt_state_dict").items();
  ASSERT_EQ(modes.size(), 2u);
  EXPECT_EQ(modes[0].items()[0].as_string(), "quantize");
  EXPECT_EQ(modes[1].items()[0].as_string(), "max_calibrate");
  const auto& quantizers = modes[1].items()[1].at("metadata").at("quantizer_state");
  EXPECT_EQ(quantizers.entries().size(), 348u);
  const auto& fc1 = quantizers.at("text_model.encoder.layers.0.mlp.fc1.input_quantizer");
  EXPECT_THAT(fc1.at("_num_bits").items()[0].as_int(), 4);
  EXPECT_EQ(fc1.at("_trt_high_precision_dtype").as_string(), "Half");
  const auto& amax = fc1.at("_pytorch_state_metadata").at("buffers").at("_amax");
  EXPECT_TRUE(amax.at("shape").items().empty());
  EXPECT_EQ(amax.at("dtype").dtype_name(), "float16");
}

// The bytes a value becomes, to compare values.
std::string pickled(const PickleValue& value) {
  std::vector<HostTensor> storages;
  return write_pickle(value, storages);
}

TEST(TorchZip, WritesWhatItReads) {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "modelopt_state.pth";
  for (const auto& source : {golden(), state()}) {
    const PickleValue value = read_torch_zip(source);
    write_torch_zip(path, value);
    const std::string bytes = read_text(path);
    const PickleValue back = read_torch_zip(path);
    EXPECT_EQ(pickled(back), pickled(value));
    write_torch_zip(path, back);
    EXPECT_EQ(read_text(path), bytes) << "the same bytes at each call";
  }
  const auto zip = ZipReader::parse(map_blob(path));
  std::vector<std::string> names;
  for (const auto& entry : zip.entries()) names.push_back(entry.name);
  EXPECT_THAT(names, ElementsAre("modelopt_state/data.pkl", "modelopt_state/.format_version", "modelopt_state/.storage_alignment",
                                 "modelopt_state/byteorder", "modelopt_state/version", "modelopt_state/.data/serialization_id"));
  EXPECT_EQ(zip.read(zip.entries()[5]).bytes.size(), 40u);
  const auto tensor = PickleValue::dict({{"w", PickleValue::tensor(from_f32(DType::f16, {2, 1}, std::vector<float>{1, -2}))}});
  write_torch_zip(path, tensor);
  EXPECT_TRUE(read_torch_zip(path).at("w").as_tensor().same_bytes(tensor.at("w").as_tensor()));
}

std::string archive(const std::vector<std::pair<std::string, std::string>>& entries) {
  const testing::TemporaryDirectory directory;
  ZipWriter zip(directory.path() / "x");
  for (const auto& [name, content] : entries) zip.add(name, content);
  zip.commit();
  return read_text(directory.path() / "x");
}
void parse(const Blob& blob) { parse_torch_zip(blob); }
std::string error_in(const std::vector<std::pair<std::string, std::string>>& entries) {
  return error_of([&] { parse(blob_of(archive(entries))); });
}

TEST(TorchZip, RefusesOtherArchives) {
  const std::string none = "\x80\x02N.";
  EXPECT_EQ(error_in({{"a/data.pkl", none}}), "");
  EXPECT_THAT(error_in({}), HasSubstr("empty zip"));
  EXPECT_THAT(error_in({{"a/data.pk", none}}), HasSubstr("no entry `a/data.pkl`"));
  EXPECT_THAT(error_in({{"data.pkl", none}}), HasSubstr("in no directory"));
  EXPECT_THAT(error_in({{"a/data.pkl", none}, {"b/data.pkl", none}}), HasSubstr("two directories"));
  EXPECT_THAT(error_in({{"a/data.pkl", none}, {"a/byteorder", "big"}}), HasSubstr("big-endian"));
  EXPECT_THAT(error_in({{"a/data.pkl",
                         "\x80\x02"
                         "cos\nsystem\n."}}),
              HasSubstr("test: entry `a/data.pkl`: pickle, byte 2: it refers to `os.system`"));
  EXPECT_THAT(error_in({{"a/data.pkl", none}, {"a/../../x", none}}), HasSubstr("not a plain relative path"));
  EXPECT_EQ(code_of([] { parse(blob_of("\x80\x02\x8a\x0alegacy")); }), Code::kUnsupported);
  EXPECT_EQ(code_of([] { parse(blob_of("")); }), Code::kUnsupported);
  EXPECT_EQ(code_of([] { parse(map_blob(testing::model_dir() / "reference_fp32.npz")); }), Code::kInvalid) << "compressed";
  EXPECT_EQ(code_of([] { read_torch_zip("/nonexistent/x.pth"); }), Code::kIo);
}

TEST(TorchZip, TruncationAndMutation) {
  const std::string bytes = read_text(golden()), real = read_text(state());
  testing::expect_refuses_truncation(bytes, parse);
  testing::expect_refuses_truncation(real, parse, 997);
  testing::expect_survives_mutations(bytes, 20'000, parse);
  testing::expect_survives_mutations(real, 200, parse);
}

// The CRC hides most mutations of an archive from the pickle: mutate what is inside, too.
TEST(TorchZip, MutatedPicklesInsideValidArchives) {
  const Blob file = map_blob(state());
  const auto zip = ZipReader::parse(file);
  const std::string pickle(zip.read(*zip.find("modelopt_state/data.pkl")).text());
  testing::expect_survives_mutations(pickle, 300, [](const Blob& blob) {
    read_pickle(blob, [](const std::string& key) -> Blob { fail(Code::kInvalid, "no storage `{}`", key); });
  });
}

}  // namespace
}  // namespace octet
