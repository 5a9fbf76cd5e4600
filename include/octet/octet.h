// octet: runs engines (.plan files) built by `octet exec --saveEngine`. The public C++ API, C++20, nothing else needed.
// Link octet::runtime (find_package(octet)) or `pkg-config octet`. From C: octet_c.h. Example: examples/embed.cpp.
//
//   octet::Engine engine = octet::Engine::load("image.plan");
//   octet::Session session(engine);
//   octet::TensorView in[] = {octet::TensorView::of("pixel_values", pixels)};
//   octet::TensorView out[] = {octet::TensorView::of("image_embeds", embeds)};
//   session.run(batch, in, out);
//
// Errors are octet::Error. Nothing here prints, exits or reads environment variables other than OCTET_ISA and, on a GPU,
// those that ARCHITECTURE.md lists for CUDA.
#pragma once
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#define OCTET_API __attribute__((visibility("default")))

namespace octet {

// The kinds of errors. The values are the exit codes of the `octet` command.
enum class Code : int {
  kUsage = 2,        // wrong option or combination of options
  kInvalid = 3,      // an unreadable or invalid file or input: parse errors, type errors, damaged plans, wrong tensors
  kUnsupported = 4,  // valid, but an op, type or target that octet does not support
  kIo = 5,           // missing file, permission, disk
  kGate = 6,         // a requested gate failed (accuracy, compare threshold, --require-fp8)
  kInternal = 70,    // a defect of octet
};

class OCTET_API Error : public std::exception {
 public:
  // `message` says what is wrong and where; `fix` (may be empty) the one change that mends it.
  Error(Code code, std::string message, std::string fix = {});

  Error& while_(std::string context);  // appends one "while ..." line to the trail
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& fix() const { return fix_; }
  const std::vector<std::string>& trail() const { return trail_; }
  std::string render() const;  // "WHAT\n  while ...\n  fix: ..."; the CLI prefixes "octet: error: "
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_, fix_;
  std::vector<std::string> trail_;
};

// Element types. Values are stored in plans and part of the C ABI: append only. Sizes in bytes: f32 i32 4; f16 bf16 2;
// e4m3 e5m2 e8m0 i8 u8 boolean 1; i64 f64 8. f16 and bf16 travel as their 16 bits (uint16_t, _Float16).
enum class DType : uint8_t { f32 = 0, f16, bf16, e4m3, e5m2, e8m0, i8, u8, i32, i64, boolean, f64 };

// An input or output of an engine. dims[0] is the batch axis and always -1; the others are positive: [-1, 3, 224, 224]. A u8 picture
// (octet export --input uint8) is [-1, 224, 224, 3]: RGB bytes, resized and cropped; the engine normalises them.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> dims;
  uint64_t bytes_per_item = 0;  // product of dims[1:] times the element size
};

// Memory of the caller: dense, row-major, batch first, of batch * bytes_per_item bytes; `data` may be nullptr if bytes is 0.
// Any alignment. Inputs are only read. An empty name means: by position, in the order of Engine::inputs() / outputs().
struct TensorView {
  std::string_view name;
  DType dtype = DType::f32;
  void* data = nullptr;
  size_t bytes = 0;

  // A view of a contiguous container (std::vector, std::array, std::span), which must outlive its use.
  template <class Container>
  static TensorView of(std::string_view name, Container& values, DType dtype) {
    using T = std::remove_reference_t<decltype(*std::data(values))>;
    return {name, dtype, const_cast<std::remove_const_t<T>*>(std::data(values)), std::size(values) * sizeof(T)};
  }
  // The same with the dtype of the container's elements; 16-bit types count as f16.
  template <class Container>
  static TensorView of(std::string_view name, Container& values) {
    return of(name, values, dtype_of<std::remove_cvref_t<decltype(*std::data(values))>>());
  }
  template <class T>
  static constexpr DType dtype_of() {
    if constexpr (std::is_same_v<T, double>) return DType::f64;
    else if constexpr (std::is_same_v<T, float>) return DType::f32;
    else if constexpr (std::is_same_v<T, bool>) return DType::boolean;
    else if constexpr (std::is_same_v<T, int8_t>) return DType::i8;
    else if constexpr (sizeof(T) == 8) return DType::i64;
    else if constexpr (sizeof(T) == 4) return DType::i32;
    else if constexpr (sizeof(T) == 2) return DType::f16;
    else return DType::u8;
  }
};

struct EngineOptions {
  std::string device = "cpu";  // "cpu", "cuda" (GPU 0) or "cuda:N"
  int threads = 0;             // compute threads of each session; 0: every core this process may use
  bool prepack_bf16 = false;   // CPU: FP8 weights widened to bf16 at load: twice the memory, the same results
};

// A loaded engine: validated, its weights packed for this machine. Immutable; copies share it; safe from any thread.
class OCTET_API Engine {
 public:
  // Errors: kIo (cannot open), kInvalid (not a plan, damaged, other format version), kUnsupported (device), kUsage (options).
  static Engine load(const std::string& path, const EngineOptions& options = {});
  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  const std::string& name() const;     // of the graph
  const std::string& creator() const;  // of the file: "octet 0.1.0"
  const std::string& device() const;   // what it runs on: "cpu (amx)", "cuda:0 (NVIDIA H200, sm_90)"

 private:
  friend class Session;
  struct Impl;
  explicit Engine(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

// One stream of work: activations and threads of its own, weights shared with every session of the engine.
// One run at a time; sessions of one engine run concurrently.
class OCTET_API Session {
 public:
  explicit Session(const Engine& engine);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Sizes the memory for `batch` items (kUnsupported if it cannot be had). run() does so by itself when it must.
  void reserve(int64_t batch);
  // Runs `batch` items. Every input and output of the engine must be given once, with its dtype and exact size, by name or
  // all by position. Allocates nothing if a batch at least as large was reserved or run before. batch 0 does nothing.
  // Errors: kInvalid (names, dtypes, sizes, a token id outside the vocabulary); outputs are then unspecified.
  void run(int64_t batch, std::span<const TensorView> inputs, std::span<const TensorView> outputs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

OCTET_API std::string_view name_of(DType dtype);  // "f32 f16 bf16 e4m3 e5m2 e8m0 i8 u8 i32 i64 bool f64"
OCTET_API size_t size_of(DType dtype);            // bytes of one element
OCTET_API std::string_view version();             // "0.1.0"

}  // namespace octet
