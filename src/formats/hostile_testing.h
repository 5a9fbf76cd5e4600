// For tests only: hostile inputs for any parser of bytes. A parser passes when each input gives a value or an octet::Error that
// is not a defect of octet; sanitizers and the test's own time limit judge the rest.
#pragma once
#include <gtest/gtest.h>

#include <ctime>
#include <functional>
#include <iostream>
#include <random>
#include <string>

#include "formats/blob.h"

namespace octet::testing {

inline Blob blob_of(std::string bytes, std::string where = "test") {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {std::as_bytes(std::span(*owner)), owner, std::move(where)};
}

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// CPU time of this thread: other work on the machine does not count.
inline double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The rendered Error that `body` throws; "" when it throws none. An internal error is a failure.
inline std::string error_of(const std::function<void()>& body) {
  try {
    body();
    return "";
  } catch (const Error& error) {
    EXPECT_NE(error.code(), Code::kInternal) << error.render();
    return error.render();
  }
}
inline Code code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return Code::kInternal;
}

// Reads every byte, so that a sanitizer sees a view that reaches too far.
inline unsigned touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += static_cast<unsigned>(b);
  return sum;
}

inline std::string mutated(std::string bytes, std::mt19937_64& random) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(random() % limit); };
  for (size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const size_t at = below(bytes.size()), length = 1 + below(std::min<size_t>(16, bytes.size() - at));
    constexpr uint64_t kSpecial[] = {0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0x8000000000000000, ~uint64_t{0}};
    switch (below(7)) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(below(bytes.size()), length));
        break;
      case 4:
        bytes.replace(at, length, bytes.substr(below(bytes.size()), length));
        break;
      case 5:
        bytes.replace(at, std::min<size_t>(length, 8), raw(kSpecial[below(std::size(kSpecial))]).substr(0, std::min<size_t>(length, 8)));
        break;
      default:
        bytes.resize(at);
        break;
    }
  }
  return bytes;
}

using Parse = std::function<void(const Blob&)>;

inline void expect_survives(const std::string& bytes, const Parse& parse) {
  const double begin = cpu_seconds();
  error_of([&] { parse(blob_of(bytes)); });
  EXPECT_LT(cpu_seconds() - begin, 2);
}

inline void expect_survives_mutations(const std::string& bytes, int rounds, const Parse& parse) {
  const uint64_t seed = std::random_device{}();
  std::cout << "[     seed ] " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    expect_survives(mutated(bytes, random), parse);
  }
}

// Every length below that of `bytes`, in steps, must be an error: no format here is complete when cut.
inline void expect_refuses_truncation(const std::string& bytes, const Parse& parse, size_t step = 1) {
  for (size_t length = 0; length < bytes.size(); length += step)
    EXPECT_NE(error_of([&] { parse(blob_of(bytes.substr(0, length))); }), "") << "cut to " << length << " of " << bytes.size() << " bytes";
}

// A directory that is removed again.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "octet_test.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path model_dir() { return std::filesystem::path(OCTET_SOURCE_DIR) / "models/clip-cifar10-fp8"; }

}  // namespace octet::testing
