// Shared libraries of CUDA, opened at run time: octet links none of them and runs where they are missing.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace octet::cuda {

// A library that stays open until the process ends: drivers and compilers do not survive being closed.
class Library {
 public:
  Library(void* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  void* symbol(const char* name) const;              // throws Error{kUnsupported}: the library is too old
  void* find(const char* name) const;                // nullptr if it has none
  const std::string& path() const { return path_; }  // as opened

 private:
  void* handle_;
  std::string path_;
};

// Opens the first of `names` ("libnvrtc.so.13", "libnvrtc.so.12") that can be had, trying each place with all names before the next
// place: OCTET_CUDA_PATH (it, its lib64 and lib), the loader's own search, /usr/local/cuda/lib64, then the NVIDIA wheels of the
// Python environment (VIRTUAL_ENV, then python3 on PATH). Throws Error{kUnsupported} naming what was tried; `remedy` is its fix.
Library open_library(std::span<const std::string> names, const std::string& remedy);

// The places, "" being the loader's search. Environment and file system are read anew at each call.
std::vector<std::filesystem::path> library_places();

}  // namespace octet::cuda
