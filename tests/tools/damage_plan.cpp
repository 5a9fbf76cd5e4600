// damage_plan PLAN COPY SEED: how plan::read takes a damaged file, for tests/e2e/plan_files.py. COPY is overwritten.
// Cuts PLAN at 64 places, then changes each of 1,000 random single bytes; prints one line "KIND PLACE ok|refused: REASON" a case.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "base/error.h"
#include "plan/io.h"

namespace {

namespace fs = std::filesystem;

void report(const char* kind, uint64_t place, const fs::path& copy) {
  try {
    octet::plan::read(copy);
    std::printf("%s %llu ok\n", kind, static_cast<unsigned long long>(place));
  } catch (const octet::Error& error) {
    const bool invalid = error.code() == octet::Code::kInvalid;
    std::printf("%s %llu %s: %s\n", kind, static_cast<unsigned long long>(place), invalid ? "refused" : "other", error.what());
  }
}

void truncate_at(const fs::path& plan, const fs::path& copy, uint64_t size, std::mt19937_64& random) {
  for (int i = 0; i < 64; ++i) {
    const uint64_t length = i == 0 ? 0 : i == 63 ? size - 1 : random() % size;
    fs::copy_file(plan, copy, fs::copy_options::overwrite_existing);
    fs::resize_file(copy, length);
    report("cut", length, copy);
  }
}

void change_bytes(const fs::path& plan, const fs::path& copy, uint64_t size, std::mt19937_64& random) {
  fs::copy_file(plan, copy, fs::copy_options::overwrite_existing);
  const int file = ::open(copy.c_str(), O_RDWR);
  for (int i = 0; i < 1000; ++i) {
    const auto place = static_cast<off_t>(random() % size);
    unsigned char old = 0, changed = 0;
    if (::pread(file, &old, 1, place) != 1) std::abort();
    changed = static_cast<unsigned char>(old ^ (1 + random() % 255));
    if (::pwrite(file, &changed, 1, place) != 1) std::abort();
    report("byte", static_cast<uint64_t>(place), copy);
    if (::pwrite(file, &old, 1, place) != 1) std::abort();
  }
  ::close(file);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: damage_plan PLAN COPY SEED\n", stderr), 2;
  const fs::path plan = argv[1], copy = argv[2];
  std::mt19937_64 random(std::strtoull(argv[3], nullptr, 10));
  const uint64_t size = fs::file_size(plan);
  truncate_at(plan, copy, size, random);
  change_bytes(plan, copy, size, random);
  fs::copy_file(plan, copy, fs::copy_options::overwrite_existing);
  report("whole", size, copy);
}
