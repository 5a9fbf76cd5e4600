#include "formats/npy.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "formats/hostile_testing.h"

namespace octet {
namespace {

using testing::blob_of;
using testing::code_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

uint32_t crc(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}
uint32_t crc(const HostTensor& tensor) { return crc({reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size()}); }

// CRC-32 of what numpy.save writes for arange(count).reshape(dims).
struct Saved {
  DType dtype;
  std::vector<int64_t> dims;
  uint32_t crc;
};
const Saved kSaved[] = {{DType::f32, {2, 3}, 0x2a00e94f}, {DType::f16, {5}, 0x80cddec1},       {DType::i8, {4, 1}, 0x6f24f99a},
                        {DType::u8, {3}, 0xec66ea48},     {DType::i32, {2, 2, 2}, 0xba373c17}, {DType::i64, {2}, 0xc9fb6a7e},
                        {DType::f32, {0, 3}, 0x775268a3}};

TEST(Npy, WritesWhatNumpyWrites) {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "x.npy";
  const auto check = [&](const HostTensor& tensor, uint32_t expected) {
    write_npy(path, tensor);
    EXPECT_EQ(crc(read_text(path)), expected) << describe(tensor);
    EXPECT_TRUE(read_npy(path).same_bytes(tensor)) << describe(tensor);
  };
  for (const auto& [dtype, dims, expected] : kSaved) {
    HostTensor tensor(dtype, dims);
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, static_cast<double>(i));
    check(tensor, expected);
  }
  HostTensor scalar(DType::f64, {}), flags(DType::boolean, {2});
  scalar.set(0, 2.5);
  flags.set(0, 1);
  check(scalar, 0x933ab435);
  check(flags, 0x5dbb19ee);
  EXPECT_EQ(code_of([&] { write_npy(path, HostTensor(DType::bf16, {2})); }), Code::kUnsupported);
}

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string out = std::string("\x93NUMPY") + version + '\0';
  out += version == 1 ? testing::raw(static_cast<uint16_t>(header.size())) : testing::raw(static_cast<uint32_t>(header.size()));
  return out + header + data;
}
void parse(const Blob& blob) { testing::touch(parse_npy(blob).bytes()); }
std::string error_in(const std::string& bytes) {
  return error_of([&] { parse(blob_of(bytes)); });
}
constexpr const char* kGood = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";

TEST(Npy, ReadsHeadersOfAllVersions) {
  EXPECT_EQ(error_in(npy(kGood, "abcd")), "");
  EXPECT_EQ(error_in(npy(kGood, "abcd", 2)), "");
  EXPECT_EQ(error_in(npy(kGood, "abcd", 3)), "");
  EXPECT_EQ(error_in(npy(R"({"shape":(2L,2),"fortran_order":False,"descr":"|i1"})", "abcd")), "");
  EXPECT_EQ(error_in(npy("{'descr': '=i4', 'fortran_order': True, 'shape': (1,)}", "abcd")), "") << "one axis has one order";
  EXPECT_EQ(code_of([] { parse(blob_of(npy(kGood, "abcd", 4))); }), Code::kUnsupported);
}

TEST(Npy, RefusesWithAReason) {
  const auto header = [](const std::string& descr, const std::string& order, const std::string& shape) {
    return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr, order, shape);
  };
  EXPECT_THAT(error_in(npy(header("<f4", "True", "(2, 2)"), std::string(16, 'x'))), HasSubstr("Fortran order"));
  for (const char* descr : {">f4", "<U39", "<c8", "<i2", "|O", "|V2", "<f16", "<m8[s]", "", "|S5", ">i8"})
    EXPECT_EQ(code_of([&] { parse(blob_of(npy(header(descr, "False", "(1,)"), "abcd"))); }), Code::kUnsupported) << descr;
  EXPECT_EQ(code_of([&] { parse(blob_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"))); }),
            Code::kUnsupported);
  EXPECT_THAT(error_in(npy(kGood, "abc")), HasSubstr("has 4 bytes, not 3"));
  EXPECT_THAT(error_in(npy(kGood, "abcde")), HasSubstr("has 4 bytes, not 5"));
  EXPECT_THAT(error_in("\x93NUMPX"), HasSubstr("not an npy file"));
  EXPECT_THAT(error_in(""), HasSubstr("not an npy file"));
  EXPECT_THAT(error_in(npy(kGood, "").substr(0, 30)), HasSubstr("truncated"));
  EXPECT_THAT(error_in(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)), HasSubstr("npy header of 4294967295 bytes"));
}

TEST(Npy, RefusesDamagedHeaders) {
  for (const char* text :
       {"", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1}", "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "__import__('os').system('x')", "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"})
    EXPECT_THAT(error_in(npy(text, "abcd")), HasSubstr("npy header")) << text;
  EXPECT_THAT(error_in(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693953,)}", "abcdefgh")),
              HasSubstr("larger than the address space"));
  EXPECT_THAT(error_in(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 1)}", "abcd")), HasSubstr("2^62"));
  std::string dims;
  for (int i = 0; i < 65; ++i) dims += "1,";
  EXPECT_THAT(error_in(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + ")}", "abcd")), HasSubstr("npy header"));
}

TEST(Npy, TruncationAndMutation) {
  const std::string bytes = npy_header(DType::f32, std::vector<int64_t>{2, 3}) + std::string(24, 'x');
  EXPECT_EQ(error_in(bytes), "");
  testing::expect_refuses_truncation(bytes, parse);
  testing::expect_survives_mutations(bytes, 20'000, parse);
}

// Expected numbers: numpy.load of the same file.
TEST(Npz, ReadsTheRealReference) {
  const auto npz = Npz::open(testing::model_dir() / "reference_fp32.npz");
  EXPECT_THAT(npz.names(), ElementsAre("image_embeds", "prompts", "input_ids", "text_embeds", "labels"));
  const auto images = npz.at("image_embeds");
  EXPECT_EQ(describe(images), "f32[1000,256]");
  EXPECT_EQ(crc(images), 0xc4bd4c6fu);
  EXPECT_EQ(static_cast<float>(images.at(0)), -1.2030456f);
  const auto ids = npz.at("input_ids");
  EXPECT_EQ(describe(ids), "i64[240,77]");
  EXPECT_EQ(crc(ids), 0x72b6ec9u);
  EXPECT_EQ(ids.at_int(0), 49406);
  EXPECT_EQ(crc(npz.at("text_embeds")), 0x978a6d1au);
  EXPECT_EQ(crc(npz.at("labels")), 0x173cc736u);
  EXPECT_EQ(code_of([&] { npz.at("prompts"); }), Code::kUnsupported) << "strings";
  EXPECT_TRUE(npz.has("labels"));
  EXPECT_FALSE(npz.has("labels.npy"));
  EXPECT_THAT(error_of([&] { npz.at("label"); }), HasSubstr("nearest name there is `labels`"));
}

void parse_npz(const Blob& blob) {
  const auto npz = Npz::parse(blob);
  for (const auto& name : npz.names()) testing::touch(npz.at(name).bytes());
}

TEST(Npz, TruncationAndMutation) {
  const testing::TemporaryDirectory directory;
  const auto path = directory.path() / "x.npz";
  ZipWriter writer(path);
  writer.add("a.npy", npy(kGood, "abcd"));
  writer.add("b.npy", npy(kGood, "efgh", 2));
  writer.commit();
  const std::string bytes = read_text(path);
  EXPECT_EQ(Npz::open(path).at("b").bytes()[0], std::byte{'e'});
  testing::expect_refuses_truncation(bytes, parse_npz);
  testing::expect_survives_mutations(bytes, 20'000, parse_npz);
  const Blob real = map_blob(testing::model_dir() / "reference_fp32.npz");
  for (size_t length = 0; length < real.bytes.size(); length += 1009)
    EXPECT_NE(error_of([&] { Npz::parse(real.slice(0, length, "cut")); }), "") << length;
  ZipWriter other(path);
  other.add("a.txt", "x");
  other.commit();
  EXPECT_THAT(error_of([&] { Npz::open(path); }), HasSubstr("`a.txt` is not an array"));
}

}  // namespace
}  // namespace octet
