// External data: what must load, and every known way to reach outside the model's directory.
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/onnx/testing.h"

namespace octet::onnx {
namespace {

using namespace test;
using Entries = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// A model of one external f32 tensor `w` of `dims`, in `file`.
Graph read_with(const std::filesystem::path& file, const Dims& dims, Entries entries) {
  WireWriter graph = small_graph();
  graph.message(graph::kInitializer, external_tensor("w", dims, entries));
  write_text(file, make_model(graph));
  return read_onnx(file);
}

class External : public ::testing::Test {
 protected:
  External() {
    std::filesystem::create_directories(outside / "sub");
    std::filesystem::create_directories(directory / "sub");
    write_text(outside / "secret", floats());
    write_text(directory / "w.bin", floats());
    write_text(directory / "sub/w.bin", floats());
  }
  static std::string floats() {
    const float values[] = {1, 2, 3, 4};
    return {reinterpret_cast<const char*>(values), sizeof values};
  }
  Graph load(Entries entries, const Dims& dims = {4}) { return read_with(directory / "model.onnx", dims, entries); }
  void expect_refused(Code code, std::string_view part, Entries entries, const Dims& dims = {4}) {
    expect_error(code, part, [&] { load(entries, dims); });
  }
  TemporaryDirectory directory, outside;
};

TEST_F(External, LoadsWholeFilesAndRanges) {
  const auto first = [](const Graph& graph) { return graph.constant_of(graph.find("w"))->at(0); };
  EXPECT_EQ(first(load({{"location", "w.bin"}})), 1);
  EXPECT_EQ(first(load({{"location", "./w.bin"}})), 1);
  EXPECT_EQ(first(load({{"location", "sub/w.bin"}})), 1);
  EXPECT_EQ(first(load({{"location", "w.bin"}, {"offset", "4"}, {"length", "8"}}, {2})), 2);
  EXPECT_EQ(first(load({{"location", "w.bin"}, {"offset", "12"}}, {1})), 4);
  EXPECT_EQ(first(load({{"length", "4"}, {"checksum", "junk"}, {"location", "w.bin"}, {"basepath", "/etc"}}, {1})), 1);
  const Graph empty = load({{"location", "w.bin"}, {"offset", "16"}}, {0});
  EXPECT_EQ(empty.constant_of(empty.find("w"))->count(), 0);
}

TEST_F(External, ARelativeModelPathWorks) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory / ".");
  const Graph graph = read_with("model.onnx", {4}, {{"location", "w.bin"}});
  std::filesystem::current_path(before);
  EXPECT_EQ(graph.constant_of(graph.find("w"))->at(3), 4);
}

TEST_F(External, ManyTensorsShareOneMapping) {
  WireWriter graph = small_graph();
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i)
    graph.message(graph::kInitializer, external_tensor(fmt::format("w{}", i), {1}, {{"location", "w.bin"}, {"offset", "4"}}));
  write_text(directory / "model.onnx", make_model(graph));
  const Graph read = read_onnx(directory / "model.onnx");
  const auto* first = read.constant_of(read.find("w0"))->bytes().data();
  EXPECT_EQ(read.constant_of(read.find("w19999"))->bytes().data(), first);
}

TEST_F(External, RefusesPathsThatLeave) {
  const std::string absolute = (outside / "secret").string();
  expect_refused(Code::kInvalid, "absolute", {{"location", absolute}});
  for (const std::string_view path : {"../secret", "sub/../w.bin", "a/../../secret", "..", "sub/..", "sub//w.bin", "w.bin/", "/"})
    expect_refused(Code::kInvalid, "external data", {{"location", path}});
  expect_refused(Code::kInvalid, "not a file name", {{"location", ""}});
  expect_refused(Code::kInvalid, "not a file name", {{"location", std::string_view("w.bin\0.txt", 10)}});
  expect_refused(Code::kInvalid, "not a file name", {{"location", std::string(5000, 'a')}});
  expect_refused(Code::kInvalid, "no location", {{"offset", "0"}});
  expect_refused(Code::kIo, "cannot open", {{"location", "missing.bin"}});
  expect_refused(Code::kIo, "cannot open", {{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "1234"}});
}

TEST_F(External, RefusesLinks) {
  std::filesystem::create_symlink(outside / "secret", directory / "leaf");
  std::filesystem::create_symlink("w.bin", directory / "inner");
  std::filesystem::create_directory_symlink(outside / "sub", directory / "dir");
  write_text(outside / "sub/w.bin", floats());
  ASSERT_EQ(::link((outside / "secret").c_str(), (directory / "hard").c_str()), 0);
  expect_refused(Code::kInvalid, "link", {{"location", "leaf"}});
  expect_refused(Code::kInvalid, "link", {{"location", "inner"}});
  expect_refused(Code::kInvalid, "link", {{"location", "dir/w.bin"}});
  expect_refused(Code::kInvalid, "more than one hard link", {{"location", "hard"}});
  expect_refused(Code::kInvalid, "a link or no directory", {{"location", "w.bin/x"}});
}

TEST_F(External, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  expect_refused(Code::kInvalid, "not a regular file", {{"location", "fifo"}});
  expect_refused(Code::kInvalid, "not a regular file", {{"location", "sub"}});
  expect_refused(Code::kInvalid, "not a regular file", {{"location", "."}});
}

TEST_F(External, RefusesRangesOutsideTheFile) {
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}}, {5});
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}, {"offset", "4"}});
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}, {"offset", "17"}}, {0});
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}, {"offset", "18446744073709551612"}}, {1});
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}}, {int64_t{1} << 61});
  expect_refused(Code::kInvalid, "past the end", {{"location", "w.bin"}}, {int64_t{1} << 62});
  expect_refused(Code::kInvalid, "need 4 elements", {{"location", "w.bin"}, {"length", "12"}});
  expect_refused(Code::kInvalid, "need 4 elements", {{"location", "w.bin"}, {"length", "0"}});
  expect_refused(Code::kInvalid, "need", {{"location", "w.bin"}, {"length", "0"}}, {int64_t{1} << 62});
  for (const std::string_view number : {"-4", "+4", " 4", "4 ", "0x4", "", "99999999999999999999999", "4.0"})
    expect_refused(Code::kInvalid, "not a plain number", {{"location", "w.bin"}, {"offset", number}}, {1});
  expect_refused(Code::kInvalid, "given twice", {{"location", "w.bin"}, {"offset", "0"}, {"offset", "4"}}, {1});
  expect_refused(Code::kInvalid, "given twice", {{"location", "w.bin"}, {"location", "secret"}});
}

TEST_F(External, AModelInMemoryHasNone) {
  WireWriter graph = small_graph();
  graph.message(graph::kInitializer, external_tensor("w", {4}, {{"location", "w.bin"}}));
  expect_error(Code::kInvalid, "in memory", [&] { read(make_model(graph)); });
}

}  // namespace
}  // namespace octet::onnx
