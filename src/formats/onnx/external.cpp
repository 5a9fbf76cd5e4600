#include "formats/onnx/external.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace octet::onnx {
namespace {

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept { return std::swap(fd, other.fd), *this; }
};

[[noreturn]] void refuse(std::string_view location, std::string_view why) {
  throw Error(Code::kInvalid, fmt::format("external data `{}`: {}", printable(location), why),
              "put the data file itself (no link) beside the model, or inline the tensors");
}

std::vector<std::string> components(std::string_view location) {
  if (location.empty() || location.size() >= 4096 || location.find('\0') != location.npos) refuse(location, "not a file name");
  if (location.front() == '/') refuse(location, "the path is absolute");
  std::vector<std::string> parts = split(location, '/');
  for (const auto& part : parts)
    if (part.empty() || part == "..") refuse(location, "the path leaves the model's directory or has an empty component");
  return parts;
}

// One component at a time and never through a link: what is checked is what stays open, so no swap in between can matter.
Descriptor open_beneath(const std::filesystem::path& directory, std::string_view location) {
  const std::vector<std::string> parts = components(location);
  Descriptor at(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (size_t i = 0; at.fd >= 0 && i < parts.size(); ++i) {
    const bool leaf = i + 1 == parts.size();
    // O_NONBLOCK: a FIFO must not hang us.
    at = Descriptor(::openat(at.fd, parts[i].c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (leaf ? 0 : O_DIRECTORY)));
    if (at.fd < 0 && (errno == ELOOP || (errno == ENOTDIR && !leaf))) refuse(location, "a component of the path is a link or no directory");
  }
  if (at.fd < 0) {
    throw Error(Code::kIo, fmt::format("cannot open external data `{}`: {}", printable(location), std::strerror(errno)),
                "keep the data file beside the model");
  }
  return at;
}

}  // namespace

std::shared_ptr<const MappedFile> ExternalData::open(std::string_view location) {
  if (const auto found = opened_.find(location); found != opened_.end()) return found->second;
  if (directory_.empty()) refuse(location, "a model in memory cannot have external data");
  const Descriptor file = open_beneath(directory_, location);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode)) refuse(location, "not a regular file");
  if (info.st_nlink != 1) refuse(location, "the file has more than one hard link");
  return opened_.emplace(location, MappedFile::map(file.fd, directory_ / location)).first->second;
}

}  // namespace octet::onnx
