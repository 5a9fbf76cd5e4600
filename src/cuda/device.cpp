#include "cuda/device.h"

#include <map>

#include "base/text.h"

namespace octet::cuda {
namespace {

using driver::api;

int attribute(driver::DeviceNumber number, int which) {
  int value = 0;
  api().device_attribute(&value, which, number);
  return value;
}

Gpu facts_of(int ordinal) {
  driver::DeviceNumber number = 0;
  api().device_get(&number, ordinal);
  char name[256] = {};
  api().device_name(name, sizeof name - 1, number);
  Gpu gpu;
  gpu.name = name;
  gpu.ordinal = ordinal;
  gpu.sm = 10 * attribute(number, driver::kComputeCapabilityMajor) + attribute(number, driver::kComputeCapabilityMinor);
  gpu.driver_version = driver::version();
  gpu.multiprocessors = attribute(number, driver::kMultiprocessorCount);
  gpu.shared_per_block = static_cast<size_t>(attribute(number, driver::kMaxSharedMemoryPerBlockOptin));
  gpu.l2 = static_cast<size_t>(attribute(number, driver::kL2CacheSize));
  gpu.clock_hz = 1e3 * attribute(number, driver::kClockRate);  // the driver gives kHz
  gpu.memory_bytes_per_s = 2e3 * attribute(number, driver::kMemoryClockRate) * attribute(number, driver::kMemoryBusWidth) / 8;  // DDR
  api().device_memory(&gpu.memory, number);
  return gpu;
}

// What lost each GPU of this process. Never cleared: nothing short of a new process helps.
struct Losses {
  std::mutex mutex;
  std::map<int, std::string> message;  // by ordinal
  std::map<int, std::weak_ptr<Device>> open;
};
Losses& losses() {
  static Losses instance;
  return instance;
}

}  // namespace

std::vector<Gpu> list_gpus() {
  int count = 0;
  api().device_count(&count);
  std::vector<Gpu> gpus;
  for (int i = 0; i < count; ++i) gpus.push_back(facts_of(i));
  return gpus;
}

std::string describe(const Gpu& gpu) { return fmt::format("cuda:{} ({}, sm_{})", gpu.ordinal, gpu.name, gpu.sm); }

Refusal usable(const Gpu& gpu) {
  if (gpu.sm < 80) return {fmt::format("compute capability {}.{}; octet needs 8.0 (Ampere) or newer", gpu.sm / 10, gpu.sm % 10)};
  return {};
}

std::shared_ptr<Device> Device::open(int ordinal) {
  const std::vector<Gpu> gpus = list_gpus();
  if (ordinal < 0 || static_cast<size_t>(ordinal) >= gpus.size())
    throw Error(Code::kUnsupported, fmt::format("there is no GPU cuda:{}: this machine shows {}", ordinal, gpus.size()),
                "check nvidia-smi and CUDA_VISIBLE_DEVICES");
  const Gpu& gpu = gpus[static_cast<size_t>(ordinal)];
  if (const Refusal no = usable(gpu)) throw Error(Code::kUnsupported, describe(gpu) + ": " + no.reason, "use --device cpu");
  Losses& all = losses();
  const std::lock_guard lock(all.mutex);
  std::weak_ptr<Device>& known = all.open[ordinal];
  if (std::shared_ptr<Device> device = known.lock()) return device;
  std::shared_ptr<Device> device(new Device(ordinal));
  known = device;
  return device;
}

Device::Device(int ordinal) : gpu_(facts_of(ordinal)) {
  api().device_get(&number_, ordinal);
  api().primary_retain(&context_, number_);
}
Device::~Device() { api().primary_release.attempt(number_); }

void Device::lose(const Error& error, const std::string& doing) {
  std::string where;
  for (const std::string& line : error.trail()) where += line + ", ";
  std::string text =
      fmt::format("the GPU reported {} while {}{}; this process cannot use {} any more", error.message(), where, doing, describe(gpu_));
  {
    const std::lock_guard lock(losses().mutex);
    text = losses().message.try_emplace(gpu_.ordinal, text).first->second;
  }
  throw Error(Code::kInternal, text, "start a new process; with CUDA_LAUNCH_BLOCKING=1 the error names the step");
}

Device::Current::Current(const Device& device) {
  {
    const std::lock_guard lock(losses().mutex);
    if (const auto lost = losses().message.find(device.gpu_.ordinal); lost != losses().message.end())
      throw Error(Code::kInternal, lost->second, "start a new process");
  }
  api().push(device.context_);
  pushed_ = true;
}
Device::Current::Current(const Device& device, Unchecked) noexcept { pushed_ = api().push.attempt(device.context_) == driver::kSuccess; }
Device::Current::~Current() {
  driver::ContextHandle previous = nullptr;
  if (pushed_) api().pop.attempt(&previous);
}

MemoryInfo memory_info() {
  MemoryInfo info;
  api().memory_info(&info.free, &info.total);
  return info;
}

DeviceBytes::DeviceBytes(std::shared_ptr<Device> device, size_t size, const std::string& purpose)
    : device_(std::move(device)), size_(size) {
  if (size == 0) return;
  const driver::Result result = api().memory_alloc.attempt(&address_, size);
  if (result == driver::kOutOfMemory) {
    const MemoryInfo info = memory_info();
    throw Error(Code::kUnsupported,
                fmt::format("{} need {} of GPU memory; {} of {} are free on {}", purpose, human_bytes(size), human_bytes(info.free),
                            human_bytes(info.total), describe(device_->gpu())),
                "use a smaller batch, or free memory of the GPU (nvidia-smi shows who holds it)");
  }
  if (result != driver::kSuccess) driver::fail_call("cuMemAlloc", result);
}
DeviceBytes::~DeviceBytes() {
  if (address_ == 0) return;
  const Device::Current current(*device_, Device::Current::Unchecked{});
  api().memory_free.attempt(address_);
}

std::shared_ptr<std::byte> pinned_bytes(std::shared_ptr<Device> device, size_t size) {
  void* memory = nullptr;
  api().host_alloc(&memory, std::max<size_t>(size, 1), 0);
  return {static_cast<std::byte*>(memory), [device = std::move(device)](std::byte* bytes) {
            const Device::Current current(*device, Device::Current::Unchecked{});
            api().host_free.attempt(bytes);
          }};
}

Stream::Stream(std::shared_ptr<Device> device) : device_(std::move(device)) { api().stream_create(&handle_, driver::kStreamNonBlocking); }
Stream::~Stream() {
  const Device::Current current(*device_, Device::Current::Unchecked{});
  api().stream_destroy.attempt(handle_);
}
void Stream::upload(Address to, std::span<const std::byte> from) const {
  if (!from.empty()) api().copy_to_device(to, from.data(), from.size(), handle_);
}
void Stream::download(std::span<std::byte> to, Address from) const {
  if (!to.empty()) api().copy_to_host(to.data(), from, to.size(), handle_);
}
void Stream::copy(Address to, Address from, size_t bytes) const {
  if (bytes > 0) api().copy_on_device(to, from, bytes, handle_);
}
void Stream::synchronize() const { api().stream_synchronize(handle_); }

Event::Event(std::shared_ptr<Device> device) : device_(std::move(device)) { api().event_create(&handle_, 0); }
Event::~Event() {
  const Device::Current current(*device_, Device::Current::Unchecked{});
  api().event_destroy.attempt(handle_);
}
void Event::record(const Stream& stream) const { api().event_record(handle_, stream.handle()); }
double Event::milliseconds_since(const Event& begin) const {
  float ms = 0;
  api().event_elapsed(&ms, begin.handle_, handle_);
  return ms;
}

}  // namespace octet::cuda
