#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kErrorBytes = size_t{64} << 10;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Two connected ends, the first one ours. Sockets, not pipes: a write to a child that is gone must not raise SIGPIPE.
std::pair<Descriptor, Descriptor> connected() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    fail(Code::kIo, "no pipe to a child process: {}", std::strerror(errno));
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<std::string> child_environment() {
  std::vector<std::string> out{"LC_ALL=C"};
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::strncmp(*entry, "LC_ALL=", 7) != 0) out.emplace_back(*entry);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& list) {
  std::vector<char*> out;
  for (std::string& text : list) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// The child, or -1 where there is no such program.
pid_t spawn(std::span<const std::string> argv, int in, int out, int err) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, err, 2);
  std::vector<std::string> words(argv.begin(), argv.end()), environment = child_environment();
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, words[0].c_str(), &actions, nullptr, pointers(words).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT || error == EACCES || error == ENOTDIR) return -1;
  if (error != 0) fail(Code::kIo, "cannot start `{}`: {}", words[0], std::strerror(error));
  return pid;
}

// Sends what the child takes of `rest`; closes our end behind the last byte, or when the child no longer listens.
void feed(Descriptor& to, std::string_view& rest) {
  const ssize_t sent = ::send(to.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
  if (rest.empty() || (sent < 0 && errno != EAGAIN && errno != EINTR)) to.close();
}

// Takes what there is, keeping at most `limit` bytes; false: more than that came. Closes our end at the child's.
bool drain(Descriptor& from, std::string& into, size_t limit) {
  char bytes[size_t{64} << 10];
  const ssize_t got = ::recv(from.get(), bytes, sizeof(bytes), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) from.close();
  if (got <= 0) return true;
  const size_t room = limit - into.size(), keep = std::min(room, static_cast<size_t>(got));
  into.append(bytes, keep);
  return static_cast<size_t>(got) <= room;
}

struct Streams {
  Descriptor in, out, err;
};

// Until the child closes both outputs, or a limit is met: what ended it.
ProcessResult::End converse(Streams& s, std::string_view input, const ProcessLimits& limits, Clock::time_point deadline,
                            ProcessResult& result) {
  if (input.empty()) s.in.close();
  while (s.out || s.err) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return ProcessResult::End::kTimedOut;
    pollfd fds[] = {{s.in.get(), POLLOUT, 0}, {s.out.get(), POLLIN, 0}, {s.err.get(), POLLIN, 0}};  // a negative one is skipped
    if (::poll(fds, 3, static_cast<int>(std::min<int64_t>(left, 1'000'000))) < 0) continue;
    if (fds[0].revents != 0) feed(s.in, input);
    if (fds[1].revents != 0 && !drain(s.out, result.out, limits.output_bytes)) return ProcessResult::End::kTooMuchOutput;
    if (fds[2].revents != 0) drain(s.err, result.err, kErrorBytes);
  }
  return ProcessResult::End::kExited;
}

// The status of the child at its end, which is enforced at the deadline; `end` says so. One that talks no more may still run.
int wait_for(pid_t pid, Clock::time_point deadline, ProcessResult::End& end) {
  int status = 0;
  for (;;) {
    const bool late = end != ProcessResult::End::kExited || Clock::now() >= deadline;
    if (late) ::kill(pid, SIGKILL);
    const pid_t got = ::waitpid(pid, &status, late ? 0 : WNOHANG);
    if (got == pid) {
      if (late && end == ProcessResult::End::kExited) end = ProcessResult::End::kTimedOut;
      return status;
    }
    if (!late) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

ProcessResult run_process(std::span<const std::string> argv, std::string_view input, const ProcessLimits& limits) {
  OCTET_CHECK(!argv.empty());
  auto [in, child_in] = connected();
  auto [out, child_out] = connected();
  auto [err, child_err] = connected();
  ProcessResult result;
  const pid_t pid = spawn(argv, child_in.get(), child_out.get(), child_err.get());
  if (pid < 0) return result.end = ProcessResult::End::kNotFound, result;
  child_in.close(), child_out.close(), child_err.close();
  Streams streams{std::move(in), std::move(out), std::move(err)};
  const Clock::time_point deadline = Clock::now() + limits.time;
  result.end = converse(streams, input, limits, deadline, result);
  const int status = wait_for(pid, deadline, result.end);
  if (result.end != ProcessResult::End::kExited) return result;
  if (WIFSIGNALED(status)) return result.end = ProcessResult::End::kSignalled, result.code = WTERMSIG(status), result;
  result.code = WEXITSTATUS(status);
  return result;
}

}  // namespace octet
