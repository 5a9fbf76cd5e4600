#include "cuda/driver/library.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace octet::cuda {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Sets a variable of the environment, and back.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* old = std::getenv(name);
    if (old) old_ = old, had_ = true;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { had_ ? ::setenv(name_, old_.c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

class LibraryTest : public ::testing::Test {
 protected:
  LibraryTest() : root(fs::temp_directory_path() / ("octet_library_test." + std::to_string(::getpid()))) { fs::create_directories(root); }
  ~LibraryTest() override { fs::remove_all(root); }
  fs::path folder(const std::string& name) {
    fs::create_directories(root / name);
    return root / name;
  }
  static size_t index(const std::vector<fs::path>& places, const fs::path& place) {
    return static_cast<size_t>(std::ranges::find(places, place) - places.begin());
  }
  fs::path root;
};

TEST_F(LibraryTest, SearchesInOrder) {
  const fs::path venv = folder("venv"), other = folder("other");
  const fs::path in_venv = folder("venv/lib/python3.11/site-packages/nvidia/cu13/lib");
  const fs::path older = folder("venv/lib/python3.11/site-packages/nvidia/cu12/lib");
  folder("venv/lib/python3.11/site-packages/nvidia/no_library");
  const fs::path on_path = folder("other/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib");
  folder("other/bin");
  std::ofstream(other / "bin" / "python3") << "";
  const Variable cuda("OCTET_CUDA_PATH", (root / "cuda").string()), active("VIRTUAL_ENV", venv.string()),
      path("PATH", (root / "empty").string() + ":" + (other / "bin").string());
  const auto places = library_places();
  EXPECT_EQ(places[0], root / "cuda");
  EXPECT_EQ(places[1], root / "cuda" / "lib64");
  EXPECT_EQ(places[2], root / "cuda" / "lib");
  EXPECT_EQ(places[3], "") << "the loader's own search";
  EXPECT_EQ(places[4], "/usr/local/cuda/lib64");
  EXPECT_EQ(index(places, in_venv), 5u);
  EXPECT_EQ(index(places, older), 6u) << "the newer CUDA first";
  EXPECT_EQ(index(places, on_path), 7u);
}

TEST_F(LibraryTest, APythonOfAVirtualEnvironmentIsALinkOutOfIt) {
  const fs::path real = folder("real/lib/python3.11/dist-packages/nvidia/a/lib"),
                 linked = folder("linked/lib/python3.11/site-packages/nvidia/b/lib");
  folder("real/bin"), folder("linked/bin");
  std::ofstream(root / "real/bin/python3") << "";
  fs::create_symlink(root / "real/bin/python3", root / "linked/bin/python3");
  const Variable active("VIRTUAL_ENV", ""), path("PATH", (root / "linked/bin").string());
  const auto places = library_places();
  ASSERT_LT(index(places, linked), places.size());
  EXPECT_LT(index(places, linked), index(places, real));
  EXPECT_LT(index(places, real), places.size());
}

TEST_F(LibraryTest, SaysWhatItTriedAndWhatIsBroken) {
  const Variable cuda("OCTET_CUDA_PATH", root.string());
  const std::string names[] = {"libocteta.so.2", "libocteta.so.1"};
  const auto refusal = [&] {
    try {
      open_library(names, "install it");
      return std::string();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUnsupported);
      return error.render();
    }
  };
  EXPECT_THAT(refusal(), HasSubstr("no libocteta.so.2 or libocteta.so.1 (tried OCTET_CUDA_PATH"));
  EXPECT_THAT(refusal(), HasSubstr("fix: install it"));
  std::ofstream(root / names[1]) << "not a library";
  EXPECT_THAT(refusal(), HasSubstr((root / names[1]).string())) << "the loader's reason";
}

TEST_F(LibraryTest, FindsSymbolsOrRefuses) {
  const std::string names[] = {"libnone.so.7", "libc.so.6"};
  const Library library = open_library(names, "");
  EXPECT_EQ(library.path(), "libc.so.6");
  EXPECT_NE(library.symbol("strlen"), nullptr);
  EXPECT_EQ(library.find("octet_no_such_symbol"), nullptr);
  EXPECT_THROW(library.symbol("octet_no_such_symbol"), Error);
}

}  // namespace
}  // namespace octet::cuda
