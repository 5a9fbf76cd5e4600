// libFuzzer target: any bytes as a plan file, hashes made right so that the fields are what is tested. What is read must
// write, and read again as the same plan. Build: clang, -DOCTET_FUZZERS=ON; run: plan_fuzz CORPUS (seed it with real plans).
#include <sys/mman.h>
#include <unistd.h>

#include "plan/print.h"
#include "plan/testing_file.h"

using namespace octet::plan;

namespace {
// A file in memory that can be opened by name.
struct MemoryFile {
  explicit MemoryFile(std::string_view bytes) : fd(::memfd_create("plan", 0)) {
    if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~MemoryFile() { ::close(fd); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }
  int fd;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  if (size >= kTableEnd) testing::rehash(file);
  const MemoryFile memory(file);
  try {
    const Plan plan = read(memory.path());
    static const testing::Scratch scratch;
    write(plan, scratch / "again.plan");
    if (print(read(scratch / "again.plan")) != print(plan)) std::abort();
  } catch (const octet::Error& error) {
    if (error.code() != octet::Code::kInvalid) throw;
  }
  return 0;
}
