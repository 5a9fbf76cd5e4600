// Text, files, hashes, memory and the thread pool.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "base/aligned.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/sha256.h"
#include "base/text.h"
#include "base/thread_pool.h"

namespace octet {
namespace {

std::filesystem::path scratch(const std::string& name) {
  const auto dir = std::filesystem::temp_directory_path() / fmt::format("octet_base_{}", ::getpid());
  std::filesystem::create_directories(dir);
  return dir / name;
}

TEST(Text, SplitTrimAndSizes) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(trim(" \ta b\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(305417152), "291.3 MiB");
}

TEST(Text, PrintableMakesAnythingOneSafeLine) {
  EXPECT_EQ(printable("a\nb\x1b[0m"), "a\\x0ab\\x1b[0m");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc2\x85"), "\\xc2\\x85");  // a C1 control
  EXPECT_EQ(printable(std::string(300, 'x')).size(), 203u);
}

TEST(Text, NearestFindsATypoAndNothingFar) {
  const std::vector<std::string> names{"export", "exec", "eval"};
  EXPECT_EQ(nearest("exprot", names), "export");
  EXPECT_EQ(nearest("zzzz", names), "");
}

TEST(Error, CarriesATrailAndAFix) {
  try {
    with_context([] { return std::string("importing node 17"); }, [] { throw Error(Code::kInvalid, "bad scale", "make it positive"); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.render(), "bad scale\n  while importing node 17\n  fix: make it positive");
  }
}

TEST(MappedFile, ReadsRegularFilesOnly) {
  const auto path = scratch("file");
  write_text(path, "hello");
  EXPECT_EQ(MappedFile::open(path)->text(), "hello");
  const auto fifo = scratch("fifo");
  ::unlink(fifo.c_str());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& bad : {fifo, scratch("missing"), std::filesystem::temp_directory_path()}) {
    try {
      MappedFile::open(bad);
      ADD_FAILURE() << bad << " was opened";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kIo) << bad;
    }
  }
}

TEST(AtomicFile, LeavesTheOldFileUntilCommitAndNoTraceWithout) {
  const auto path = scratch("atomic");
  write_text(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
  }
  EXPECT_EQ(read_text(path), "old");
  {
    AtomicFile file(path);
    file.write("new");
    file.commit();
  }
  EXPECT_EQ(read_text(path), "new");
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path()))
    EXPECT_EQ(entry.path().string().find("atomic."), std::string::npos) << entry.path();
}

// Vectors of FIPS 180-4's example values and of the XXH3 reference.
TEST(Hash, KnownValues) {
  Sha256 empty;
  EXPECT_EQ(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 abc;
  abc.update("a");
  abc.update("bc");
  EXPECT_EQ(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 million;
  for (int i = 0; i < 1000; ++i) million.update(std::string(1000, 'a'));
  EXPECT_EQ(million.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
}

TEST(Aligned, IsAlignedAndZero) {
  for (const size_t size : {size_t{1}, size_t{4097}, size_t{5} << 20}) {
    const AlignedBytes memory(size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % 64, 0u);
    EXPECT_EQ(memory.data()[size - 1], std::byte{0});
  }
}

TEST(Share, CoversEverythingOnceInBlocks) {
  for (const int64_t count : {0, 1, 7, 64, 257})
    for (const int threads : {1, 2, 3, 8})
      for (const int64_t block : {1, 16}) {
        int64_t next = 0;
        for (int t = 0; t < threads; ++t) {
          const Range part = share(count, t, threads, block);
          EXPECT_EQ(part.begin, next);
          EXPECT_TRUE(part.begin % block == 0 || part.begin == count);
          next = part.end;
        }
        EXPECT_EQ(next, count);
      }
}

TEST(ThreadPool, EveryThreadRunsOnceEachTime) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> runs(static_cast<size_t>(threads));
    for (int i = 0; i < 2000; ++i) pool.run([&](int t) { ++runs[static_cast<size_t>(t)]; });
    for (const auto& count : runs) EXPECT_EQ(count, 2000);
  }
}

TEST(ThreadPool, WorkersWakeAfterTheySlept) {
  ThreadPool pool(2);
  for (int i = 0; i < 3; ++i) {
    ::usleep(20000);
    std::atomic<int> runs{0};
    pool.run([&](int) { ++runs; });
    EXPECT_EQ(runs, 2);
  }
}

}  // namespace
}  // namespace octet
