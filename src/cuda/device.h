// GPUs of this machine, and what the runtime does with one: memory, streams, events, launches. Next: cuda/program.h (kernels).
//
// After some errors (an illegal address, an uncorrectable memory error) a process can do nothing more on that GPU. The device
// remembers the first one and every later use throws it again.
#pragma once
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cuda/driver/api.h"
#include "cuda/kernels/kernel.h"

namespace octet::cuda {

// By ordinal, as CUDA_VISIBLE_DEVICES has them. Throws Error{kUnsupported} where there is no driver or no GPU.
std::vector<Gpu> list_gpus();
std::string describe(const Gpu& gpu);  // "cuda:0 (NVIDIA H200, sm_90)"
Refusal usable(const Gpu& gpu);        // why octet cannot run on it; empty if it can

struct MemoryInfo {
  size_t free = 0, total = 0;  // bytes, of all processes
};

// A GPU's primary context, shared with every library of the process that uses the CUDA runtime.
class Device : public std::enable_shared_from_this<Device> {
 public:
  static std::shared_ptr<Device> open(int ordinal);  // one object a GPU while it is used; throws Error{kUnsupported}
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  const Gpu& gpu() const { return gpu_; }

  // Runs `body` with this GPU current on the calling thread. `doing()` says in an error what was being done.
  template <class Doing, class Body>
  decltype(auto) use(Doing&& doing, Body&& body) {
    const Current current(*this);
    try {
      return body();
    } catch (const driver::CallError& error) {
      if (driver::is_sticky(error.result)) lose(error, doing());
      throw;
    }
  }

  // A scope in which the driver's calls of this thread go to this GPU. The first constructor throws what lost the device.
  class Current {
   public:
    explicit Current(const Device& device);
    struct Unchecked {};
    Current(const Device& device, Unchecked) noexcept;  // for destructors
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    bool pushed_ = false;
  };

 private:
  explicit Device(int ordinal);
  [[noreturn]] void lose(const Error& error, const std::string& doing);
  Gpu gpu_;
  driver::DeviceNumber number_ = 0;
  driver::ContextHandle context_ = nullptr;
};

// What follows is created and used with its device current; destructors see to that themselves.
MemoryInfo memory_info();

class DeviceBytes {
 public:
  DeviceBytes() = default;
  // 256-byte aligned, not cleared. Throws Error{kUnsupported} with figures if it cannot be had; `purpose` names it: "the weights".
  DeviceBytes(std::shared_ptr<Device> device, size_t size, const std::string& purpose);
  ~DeviceBytes();
  DeviceBytes(DeviceBytes&& other) noexcept { swap(other); }
  DeviceBytes& operator=(DeviceBytes&& other) noexcept {
    DeviceBytes(std::move(other)).swap(*this);
    return *this;
  }
  Address address() const { return address_; }
  size_t size() const { return size_; }

 private:
  void swap(DeviceBytes& other) noexcept {
    device_.swap(other.device_), std::swap(address_, other.address_), std::swap(size_, other.size_);
  }
  std::shared_ptr<Device> device_;
  Address address_ = 0;
  size_t size_ = 0;
};

// Page-locked host memory: the GPU copies from and to it at the bus's full rate.
std::shared_ptr<std::byte> pinned_bytes(std::shared_ptr<Device> device, size_t size);

class Stream {
 public:
  explicit Stream(std::shared_ptr<Device> device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  driver::StreamHandle handle() const { return handle_; }
  void upload(Address to, std::span<const std::byte> from) const;
  void download(std::span<std::byte> to, Address from) const;
  void copy(Address to, Address from, size_t bytes) const;
  void synchronize() const;

 private:
  std::shared_ptr<Device> device_;
  driver::StreamHandle handle_ = nullptr;
};

class Event {
 public:
  explicit Event(std::shared_ptr<Device> device);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream) const;
  double milliseconds_since(const Event& begin) const;  // both recorded and done

 private:
  std::shared_ptr<Device> device_;
  driver::EventHandle handle_ = nullptr;
};

}  // namespace octet::cuda
