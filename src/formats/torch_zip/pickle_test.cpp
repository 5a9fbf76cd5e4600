// Pickles by hand: what is data, and everything that is not. What torch itself writes: torch_zip_test.cpp.
#include "formats/torch_zip/pickle.h"

#include <gmock/gmock.h>

#include <cmath>

#include "formats/hostile_testing.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = PickleValue::Kind;
using testing::blob_of;
using testing::error_of;
using testing::raw;

Blob eight_bytes(const std::string& key) {
  if (key == "0") return blob_of("12345678");
  fail(Code::kInvalid, "test: no storage `{}`", key);
}
// Reads every part, shared ones each time: what the weight limit bounds.
void walk(const PickleValue& value) {
  if (value.kind() == Kind::kDict)
    for (const auto& [key, part] : value.entries()) walk(key), walk(part);
  if (value.kind() == Kind::kList || value.kind() == Kind::kTuple || value.kind() == Kind::kSize)
    for (const auto& part : value.items()) walk(part);
  if (value.kind() == Kind::kTensor) testing::touch(value.as_tensor().bytes());
  ASSERT_NE(value.kind(), Kind::kGlobal);
  ASSERT_NE(value.kind(), Kind::kStorage);
}
PickleValue read(const std::string& body) { return read_pickle(blob_of("\x80\x02" + body), eight_bytes); }
void parse(const Blob& blob) { walk(read_pickle(blob, eight_bytes)); }
std::string error_in(const std::string& body) {
  return error_of([&] { walk(read(body)); });
}
std::string text(const std::string& value) { return std::string(1, 'X') + raw(static_cast<uint32_t>(value.size())) + value; }

TEST(Pickle, ReadsScalars) {
  EXPECT_TRUE(read("N.").is_none());
  EXPECT_TRUE(read("\x88.").as_bool());
  EXPECT_FALSE(read("\x89.").as_bool());
  EXPECT_EQ(read("K\xff.").as_int(), 255);
  EXPECT_EQ(read("M\x01\x02.").as_int(), 513);
  EXPECT_EQ(read("J\xfe\xff\xff\xff.").as_int(), -2);
  EXPECT_EQ(read(std::string("\x8a\x00.", 3)).as_int(), 0);
  EXPECT_EQ(read("\x8a\x01\xff.").as_int(), -1);
  EXPECT_EQ(read(std::string("\x8a\x02\xff\x00.", 5)).as_int(), 255);
  EXPECT_EQ(read("\x8a\x08" + raw(INT64_MIN) + ".").as_int(), INT64_MIN);
  EXPECT_EQ(read(std::string("G\xc0\x04\0\0\0\0\0\0.", 10)).as_float(), -2.5);
  EXPECT_EQ(read(text("h\xc3\xa9") + ".").as_string(), "hé");
  EXPECT_EQ(read("ctorch\nfloat16\n.").dtype_name(), "float16");
  EXPECT_EQ(read("ctorch\nSize\nK\x02K\x03\x86\x85R.").kind(), Kind::kSize);
}

TEST(Pickle, WriterReadsBack) {
  const auto value =
      PickleValue::dict({{"list", PickleValue::list({1, -1, 255, 256, int64_t{1} << 40, INT64_MIN, 0.5, true, false, {}})},
                         {"tuples", PickleValue::tuple({PickleValue::tuple(), PickleValue::tuple({1}), PickleValue::tuple({1, 2, 3, 4})})},
                         {"same", PickleValue::list({"same", "same"})},
                         {7, PickleValue::size({2, 3})},
                         {"dtype", PickleValue::dtype("bfloat16")},
                         {"empty", PickleValue::list({PickleValue::dict(), PickleValue::list(), ""})}});
  std::vector<HostTensor> storages;
  const std::string bytes = write_pickle(value, storages);
  const auto back = read_pickle(blob_of(bytes), eight_bytes);
  EXPECT_EQ(write_pickle(back, storages), bytes);
  EXPECT_TRUE(storages.empty());
  EXPECT_EQ(back.at("list").items()[5].as_int(), INT64_MIN);
  EXPECT_EQ(back.at("same").items()[1].as_string(), "same");
  EXPECT_EQ(back.entries()[3].first.as_int(), 7);
  EXPECT_EQ(back.entries()[3].second.items()[1].as_int(), 3);
}

TEST(Pickle, AccessorsNameBothKinds) {
  const auto value = read(std::string("]q") + std::string(1, '\0') + ".");
  EXPECT_THAT(error_of([&] { value.as_int(); }), HasSubstr("expected an int, found a list"));
  EXPECT_THAT(error_of([&] { value.find("x"); }), HasSubstr("expected a dict, found a list"));
  EXPECT_THAT(error_of([&] { PickleValue::dict().at("x"); }), HasSubstr("no key `x`"));
  EXPECT_EQ(PickleValue::dict().find("x"), nullptr);
}

// The ways to run code, each refused by name before anything is built.
TEST(Pickle, RefusesCode) {
  const std::string command = text("echo hacked") + "\x85R.";
  EXPECT_THAT(error_in("cos\nsystem\n" + command), AllOf(HasSubstr("`os.system`"), HasSubstr("byte 2"), HasSubstr("fix: ")));
  EXPECT_THAT(error_in("cposix\nsystem\n" + command), HasSubstr("`posix.system`"));
  for (const char* name : {"builtins\neval", "__builtin__\nexec", "builtins\ngetattr", "subprocess\nPopen", "torch\nload",
                           "torch.hub\nload", "torch\nSize.__class__", "torch._utils\n_rebuild_tensor",
                           "torch._utils\n_rebuild_tensor_v2.__globals__", "collections\nOrderedDict.fromkeys", "numpy\ndtype",
                           "torch\nUntypedStorage", "torch\nfloat17", " torch\nSize", "torch\n Size", "", "\x1b[2J\nx"})
    EXPECT_THAT(error_in(std::string("c") + std::string(name) + "\n" + command),
                ::testing::AnyOf(HasSubstr("code and not data"), HasSubstr("truncated")))
        << name;
  EXPECT_THAT(error_in("(ios\nsystem\n" + command), HasSubstr("opcode INST"));
  EXPECT_THAT(error_in("(cos\nsystem\n" + command), HasSubstr("`os.system`"));
  EXPECT_THAT(error_in("(ctorch\nSize\no."), HasSubstr("opcode OBJ"));
  EXPECT_THAT(error_in("ctorch\nSize\n)\x81."), HasSubstr("opcode NEWOBJ "));
  EXPECT_THAT(error_in("\x82\x01."), HasSubstr("opcode EXT1"));
  EXPECT_THAT(error_in("\x83\x01\x01."), HasSubstr("opcode EXT2"));
  EXPECT_THAT(error_in(text("os") + text("system") + "\x93."), HasSubstr("opcode STACK_GLOBAL"));
  EXPECT_THAT(error_in("Px\n."), HasSubstr("opcode PERSID"));
  EXPECT_THAT(error_in("\xfe."), HasSubstr("0xfe is not an opcode"));
  EXPECT_THAT(error_of([] { parse(blob_of("cos\nsystem\n.")); }), HasSubstr("does not start with PROTO"));
  for (const char version : {'\x00', '\x01', '\x03', '\x04', '\x05'})
    EXPECT_THAT(error_of([&] { parse(blob_of(std::string("\x80") + version + "N.")); }), HasSubstr("torch.save writes protocol 2"));
}

TEST(Pickle, RefusesEveryOtherOpcode) {
  const std::string known = "\x80.(N\x88\x89JKM\x8aGX)t\x85\x86\x87]ae}suqrhjcRbQ";
  for (int byte = 0; byte < 256; ++byte) {
    if (known.find(static_cast<char>(byte)) != known.npos) continue;
    EXPECT_THAT(error_in(std::string(1, static_cast<char>(byte)) + std::string(64, '\0')), HasSubstr("opcode")) << byte;
  }
}

TEST(Pickle, RefusesCallsThatAreNotPlainData) {
  EXPECT_THAT(error_in("ctorch\nfloat16\n)R."), HasSubstr("expected a global, found a torch dtype"));
  EXPECT_THAT(error_in(std::string(1, ']') + text("x") + "\x85R."), HasSubstr("expected a global, found a list"));
  EXPECT_THAT(error_in("ctorch\nSize\n]R."), HasSubstr("without a tuple"));
  EXPECT_THAT(error_in("ctorch\nSize\n)R."), HasSubstr("`torch.Size` called with 0 arguments"));
  EXPECT_THAT(error_in("ctorch\nSize\n" + text("x") + "\x85\x85R."), HasSubstr("expected an int, found a string"));
  EXPECT_THAT(error_in("ccollections\nOrderedDict\n]\x85R."), HasSubstr("`collections.OrderedDict` called with 1"));
  EXPECT_THAT(error_in("ctorch\nHalfStorage\n)R."), HasSubstr("`torch.HalfStorage` called"));
  EXPECT_THAT(error_in("ctorch\nSize\n."), HasSubstr("the result is a global"));
  EXPECT_THAT(error_in("]ctorch\nSize\na."), HasSubstr("a list holds a global"));
  EXPECT_THAT(error_in("}K\x01"
                       "ctorch\nSize\n\x85s."),
              HasSubstr("a dict holds a tuple as a value"))
      << "hidden in a tuple";
  EXPECT_THAT(error_in("ctorch\nSize\n\x85."), HasSubstr("the result is a tuple"));
  std::string nested;
  for (int i = 0; i < 100; ++i) nested += "ctorch\nSize\n";
  EXPECT_NE(error_in(nested + std::string(")") + std::string(100, 'R') + "."), "");
  EXPECT_THAT(error_in("}}b."), HasSubstr("only an OrderedDict"));
  EXPECT_THAT(error_in("]}b."), HasSubstr("only an OrderedDict"));
  EXPECT_EQ(error_in("ccollections\nOrderedDict\n)R}" + text("_metadata") + "}sb."), "");
}

TEST(Pickle, RefusesDamagedStacks) {
  for (const char* body : {".",   "a.",   "]a.", "s.", "}Ns.", "R.", "b.",  "Q.",  "\x85.", "\x86.", "N\x86.", "q",
                           "(t(", "(NN.", "NN.", "e.", "u.",   "t.", "(e.", "(u.", "](Nu.", "}(Ne.", "Na."})
    EXPECT_NE(error_in(body), "") << body;
  EXPECT_THAT(error_in("N(a."), HasSubstr("too short")) << "values below a mark are out of reach";
  EXPECT_THAT(error_in("N(0."), HasSubstr("opcode POP"));
  EXPECT_THAT(error_in("N"), HasSubstr("no STOP"));
  EXPECT_THAT(error_in(""), HasSubstr("no STOP"));
  EXPECT_THAT(error_in("N.N"), HasSubstr("1 bytes follow STOP"));
  EXPECT_THAT(error_in("\x80\x02."), HasSubstr("PROTO in the middle"));
  EXPECT_THAT(error_in(std::string("h") + std::string(1, '\0') + "."), HasSubstr("never put"));
  EXPECT_THAT(error_in("Nr\xff\xff\xff\xff."), HasSubstr("memo entry 4294967295"));
  EXPECT_THAT(error_in("X\xff\xff\xff\xff."), HasSubstr("truncated"));
  EXPECT_THAT(error_in(std::string("\x8a\x09") + std::string(9, '\1') + "."), HasSubstr("more than 64 bits"));
  EXPECT_THAT(error_in("}(NNu."), HasSubstr("a string or an int as a dict's key"));
  EXPECT_THAT(error_in("}(" + text("k") + "N" + text("k") + "Nu."), HasSubstr("key `k` twice"));
  EXPECT_THAT(error_in("}(" + text("k") + "NNu."), HasSubstr("a dict entry has no value"));
  EXPECT_THAT(error_in(std::string("c") + std::string(300, 'm') + "\nx\n."), HasSubstr("too long"));
}

TEST(Pickle, RefusesCyclesBombsAndDepth) {
  const std::string put0 = std::string("q\0", 2), get0 = std::string("h\0", 2);
  EXPECT_THAT(error_in("]" + put0 + get0 + "a."), HasSubstr("holds itself"));
  EXPECT_THAT(error_in("]" + put0 + get0 +
                       "\x85"
                       "a."),
              HasSubstr("changes after"));
  EXPECT_THAT(error_in("}" + put0 + "K\x01" + get0 + "s."), HasSubstr("holds itself"));
  // Doubling: level i is the list of level i - 1, twice.
  std::string bomb = "]" + put0;
  for (int i = 0; i < 60; ++i)
    bomb += std::string("](h") + std::string(1, static_cast<char>(i)) + std::string("h") + std::string(1, static_cast<char>(i)) +
            std::string("eq") + std::string(1, static_cast<char>(i + 1));
  const std::string tail = std::string(60, '\x85');
  EXPECT_THAT(error_in(bomb + "."), ::testing::AnyOf(HasSubstr("memo bomb"), HasSubstr("STOP with")));
  EXPECT_THAT(error_in(bomb + tail + "."), HasSubstr("memo bomb"));
  EXPECT_THAT(error_in(std::string("N") + std::string(65, '\x85') + "."), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_in(std::string(1000, ']') + std::string(999, 'a') + "."), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_in(std::string(1'000'000, ']') + "."), HasSubstr("more than 500,000"));
  EXPECT_THAT(error_in(std::string("](") + std::string(3'000'000, 'N') + "e."), HasSubstr("more than 2 million operations"));
  EXPECT_THAT(error_in(std::string(1'000'000, '(') + "."), HasSubstr("STOP with"));
}

// A tensor of `dims` and `strides` in a float storage of two elements.
std::string tensor(const std::string& id, const std::string& offset, const std::string& dims, const std::string& strides,
                   const std::string& hooks = "ccollections\nOrderedDict\n)R") {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + id + "Q" + offset + dims + strides + "\x89" + hooks + "tR.";
}
const std::string kStorage = std::string(1, '(') + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\x02t";

TEST(Pickle, ReadsTensorsAsViews) {
  const auto value = read(tensor(kStorage, "K\x01", "K\x01\x85", "K\x01\x85"));
  EXPECT_EQ(describe(value.as_tensor()), "f32[1]");
  EXPECT_EQ(static_cast<char>(value.as_tensor().bytes()[0]), '5');
  EXPECT_EQ(read(tensor(kStorage, std::string("K\0", 2), "K\x01K\x02\x86", "K\x63K\x01\x86")).as_tensor().count(), 2)
      << "the stride of an axis of 1 says nothing";
}

TEST(Pickle, RefusesTensorsThatLie) {
  const std::string zero = std::string("K\0", 2), one = "K\x01", pair = "K\x02\x85", unit = "K\x01\x85";
  EXPECT_EQ(error_in(tensor(kStorage, zero, pair, unit)), "");
  EXPECT_THAT(error_in(tensor(kStorage, one, pair, unit)), HasSubstr("beyond its storage"));
  EXPECT_THAT(error_in(tensor(kStorage, "J\xff\xff\xff\xff", pair, unit)), HasSubstr("beyond its storage"));
  EXPECT_THAT(error_in(tensor(kStorage, zero, "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", zero + zero + "\x86")),
              HasSubstr("beyond its storage"))
      << "stride 0 repeats";
  EXPECT_THAT(error_in(tensor(kStorage, zero, "J\xff\xff\xff\xff\x85", unit)), HasSubstr("negative"));
  EXPECT_THAT(error_in(tensor(kStorage, zero, pair, zero + "\x85")), HasSubstr("not contiguous"));
  EXPECT_THAT(error_in(tensor(kStorage, zero, pair, ")")), HasSubstr("more or fewer strides"));
  EXPECT_THAT(error_in(tensor(kStorage, zero, pair, unit, "}(K\x01Nu")), HasSubstr("hooks"));
  EXPECT_THAT(error_in(tensor(kStorage, zero, pair, unit, "N")), HasSubstr("expected a dict"));
  const auto storage = [&](const std::string& tag, const std::string& type, const std::string& key, const std::string& count) {
    return error_in(tensor(std::string(1, '(') + text(tag) + type + text(key) + text("cpu") + count + "t", zero, pair, unit));
  };
  EXPECT_EQ(storage("storage", "ctorch\nFloatStorage\n", "0", "K\x02"), "");
  EXPECT_THAT(storage("module", "ctorch\nFloatStorage\n", "0", "K\x02"), HasSubstr("names no storage"));
  EXPECT_THAT(storage("storage", "ctorch\nFloatStorage\n", "1", "K\x02"), HasSubstr("no storage `1`"));
  EXPECT_THAT(storage("storage", "ctorch\nFloatStorage\n", "0", "K\x03"), HasSubstr("3 elements of 4 bytes, the file has 8"));
  EXPECT_THAT(storage("storage", "ctorch\nFloatStorage\n", "0", "J\xfe\xff\xff\xff"), HasSubstr("-2 elements"));
  EXPECT_THAT(storage("storage", "ctorch\nSize\n", "0", "K\x02"), HasSubstr("is not a storage"));
  EXPECT_THAT(storage("storage", text("x"), "0", "K\x02"), HasSubstr("expected a global"));
  EXPECT_THAT(storage("storage", "ctorch\nShortStorage\n", "0", "K\x04"), HasSubstr("octet does not read"));
  EXPECT_THAT(error_in("NQ."), HasSubstr("names no storage"));
  EXPECT_THAT(error_in(kStorage + "Q."), HasSubstr("the result is a storage"));
}

TEST(Pickle, TruncationAndMutation) {
  std::vector<HostTensor> storages;
  const auto value = PickleValue::dict(
      {{"a", PickleValue::list({1, 300, 1 << 20, 0.5, "text", true, {}})},
       {"b", PickleValue::tuple({PickleValue::size({2, 3}), PickleValue::dtype("float16"), PickleValue::dict({{1, "a"}, {2, "b"}})})},
       {"t", PickleValue::tensor(HostTensor(DType::f32, {2}))}});
  const std::string bytes = write_pickle(value, storages);
  parse(blob_of(bytes));
  testing::expect_refuses_truncation(bytes, parse);
  testing::expect_survives_mutations(bytes, 20'000, parse);
  testing::expect_survives_mutations("\x80\x02" + tensor(kStorage, "K\x01", "K\x01\x85", "K\x01\x85"), 20'000, parse);
}

}  // namespace
}  // namespace octet
