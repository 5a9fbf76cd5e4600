// The oracle as a backend: whole plans step by step in f64, each step rounded once. The `steps` reference of `octet run` and
// `octet compare`. Plain loops over all threads: thousands of times slower than the CPU backend. Next: oracle/exact.h.
#pragma once
#include <memory>

#include "runtime/backend.h"

namespace octet::oracle {

std::unique_ptr<Backend> make_backend();  // works on the whole batch at once, whatever PrepareOptions::chunk says

}  // namespace octet::oracle
