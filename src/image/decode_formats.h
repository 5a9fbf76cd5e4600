// The two decoders behind decode.h, and what they share.
#pragma once
#include <csetjmp>
#include <string>

#include "base/error.h"
#include "image/decode.h"

namespace octet::image {

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits);
Image decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits);

// An image of that size, its pixels zero. Throws Error{kInvalid} when a limit is passed.
Image sized_image(uint64_t width, uint64_t height, const DecodeLimits& limits);

// C libraries report errors by a callback that must not return: it calls escape(), and run() throws. What run() is given must
// hold no object with a destructor, since longjmp passes over it.
class LongJump {
 public:
  template <class Body>
  void run(Body&& body) {
    if (setjmp(jump_) != 0) throw Error(code_, message_);
    body();
  }
  [[noreturn]] void escape(Code code, const char* message) {
    code_ = code;
    message_ = message;
    std::longjmp(jump_, 1);
  }

 private:
  std::jmp_buf jump_;
  Code code_ = Code::kInvalid;
  std::string message_;
};

}  // namespace octet::image
