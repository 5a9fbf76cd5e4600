// ModelOpt state from a hostile pickle.
#include "formats/fuzz.h"
#include "formats/torch_zip/pickle.h"
#include "quant/state.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return octet::fuzz_blob(data, size, [](const octet::Blob& blob) {
    const auto none = [](const std::string&) -> octet::Blob { octet::fail(octet::Code::kInvalid, "no storage"); };
    octet::read_modelopt_state(octet::read_pickle(blob, none));
  });
}
