#include "cuda/driver/library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace octet::cuda {
namespace fs = std::filesystem;
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) found.push_back(it->path());
  std::ranges::sort(found);
  return found;
}

// site-packages/nvidia/*/lib: the layout of NVIDIA's wheels (nvidia/cu13/lib, nvidia/cuda_nvrtc/lib), newest CUDA first.
void add_wheels(const fs::path& packages, std::vector<fs::path>& places) {
  std::vector<fs::path> found = entries(packages / "nvidia");
  std::ranges::reverse(found);
  std::error_code error;
  for (const fs::path& package : found)
    if (fs::is_directory(package / "lib", error)) places.push_back(package / "lib");
}

// An installation or virtual environment: bin/python3 has its packages in ../lib/python3.*/.
void add_prefix(const fs::path& prefix, std::vector<fs::path>& places) {
  for (const char* lib : {"lib", "lib64"})
    for (const fs::path& directory : entries(prefix / lib))
      if (directory.filename().string().starts_with("python3"))
        for (const char* packages : {"site-packages", "dist-packages"}) add_wheels(directory / packages, places);
}

void add_python(std::vector<fs::path>& places) {
  if (const std::string active = environment("VIRTUAL_ENV"); !active.empty()) add_prefix(active, places);
  for (const std::string& directory : split(environment("PATH"), ':')) {
    std::error_code error;
    const fs::path python = fs::path(directory) / "python3";
    if (directory.empty() || !fs::exists(python, error)) continue;
    add_prefix(fs::path(directory).parent_path(), places);  // of a virtual environment: bin/python3 is a link out of it
    const fs::path real = fs::canonical(python, error);
    if (!error) add_prefix(real.parent_path().parent_path(), places);
    break;  // the first one is what the user would start
  }
  add_wheels("/usr/lib/python3/dist-packages", places);
}

}  // namespace

void* Library::find(const char* name) const { return ::dlsym(handle_, name); }
void* Library::symbol(const char* name) const {
  if (void* found = find(name)) return found;
  throw Error(Code::kUnsupported, fmt::format("{} has no {}: it is too old", path_, name),
              "update the NVIDIA driver and CUDA to 12.0 or newer");
}

std::vector<fs::path> library_places() {
  std::vector<fs::path> places;
  if (const fs::path given = environment("OCTET_CUDA_PATH"); !given.empty())
    places.insert(places.end(), {given, given / "lib64", given / "lib"});
  places.emplace_back();
  places.emplace_back("/usr/local/cuda/lib64");
  add_python(places);
  std::vector<fs::path> unique;
  for (const fs::path& place : places)
    if (std::ranges::find(unique, place) == unique.end()) unique.push_back(place);
  return unique;
}

Library open_library(std::span<const std::string> names, const std::string& remedy) {
  std::string broken;  // a library that is there and cannot be loaded explains more than those that are not
  const std::vector<fs::path> places = library_places();
  for (const fs::path& place : places)
    for (const std::string& name : names) {
      const fs::path path = place / name;
      if (void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return {handle, path.string()};
      std::error_code error;
      const char* why = ::dlerror();
      if (!place.empty() && fs::exists(path, error) && why != nullptr) broken = fmt::format("; {}", why);
    }
  throw Error(Code::kUnsupported,
              fmt::format("no {} (tried OCTET_CUDA_PATH, the loader's search, /usr/local/cuda and Python's NVIDIA wheels){}",
                          join(names, " or "), broken),
              remedy);
}

}  // namespace octet::cuda
