#include "base/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace octet {
namespace {

namespace fs = std::filesystem;

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() : root(fs::temp_directory_path() / ("octet_cache_test." + std::to_string(::getpid()))) {
    ::setenv("OCTET_CACHE_DIR", (root / "a" / "b").c_str(), 1);
  }
  ~CacheTest() override {
    ::unsetenv("OCTET_CACHE_DIR");
    fs::remove_all(root);
  }
  static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
  static std::string read(std::string_view name) {
    const auto found = read_cache(name);
    return found ? std::string(reinterpret_cast<const char*>(found->data()), found->size()) : "(nothing)";
  }
  fs::path root;
};

TEST_F(CacheTest, KeepsEntriesInADirectoryOfTheUsersOwn) {
  EXPECT_EQ(read("kernel-1"), "(nothing)");
  write_cache("kernel-1", bytes("code"));
  write_cache("kernel-2", bytes(""));
  EXPECT_EQ(read("kernel-1"), "code");
  EXPECT_EQ(read("kernel-2"), "");
  write_cache("kernel-1", bytes("newer code"));
  EXPECT_EQ(read("kernel-1"), "newer code");
  struct stat info {};
  ASSERT_EQ(::stat(cache_directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(cache_directory())) files += entry.is_regular_file();
  EXPECT_EQ(files, 2u) << "no temporary files stay behind";
}

TEST_F(CacheTest, DamageIsAbsence) {
  write_cache("kernel", bytes("some machine code"));
  const fs::path file = cache_directory() / "kernel";
  for (const size_t at : {size_t{0}, size_t{15}, size_t{16}, size_t{32}}) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const int old = stream.get();
    stream.seekp(static_cast<std::streamoff>(at)), stream.put(static_cast<char>(old ^ 1)), stream.flush();
    EXPECT_EQ(read("kernel"), "(nothing)") << "byte " << at;
    stream.seekp(static_cast<std::streamoff>(at)), stream.put(static_cast<char>(old)), stream.flush();
    EXPECT_EQ(read("kernel"), "some machine code");
  }
  for (const uintmax_t size : {20, 15, 0}) {
    fs::resize_file(file, size);
    EXPECT_EQ(read("kernel"), "(nothing)") << size << " bytes";
  }
  write_cache("kernel", bytes("written again"));
  EXPECT_EQ(read("kernel"), "written again");
}

TEST_F(CacheTest, OthersMustNotBeAbleToWriteThere) {
  write_cache("kernel", bytes("code"));
  ::chmod(cache_directory().c_str(), 0777);
  EXPECT_EQ(read("kernel"), "(nothing)");
  write_cache("kernel2", bytes("code"));
  EXPECT_FALSE(fs::exists(cache_directory() / "kernel2"));
}

TEST_F(CacheTest, WithoutAPlaceNothingIsKept) {
  ::setenv("OCTET_CACHE_DIR", "/proc/no/such/place", 1);
  write_cache("kernel", bytes("code"));
  EXPECT_EQ(read("kernel"), "(nothing)");
}

}  // namespace
}  // namespace octet
