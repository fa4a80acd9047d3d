// Environment, devices, memory of the emulated driver.
#include "state.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#if GRADUS_SHIM_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace gradus::shim::driver {

namespace {

constexpr size_t kGuard = 512;
// From here on an allocation takes only the pages that are touched; all but its guards is 0.
constexpr size_t kSparse = size_t{1} << 30;

const char* variable(const char* name) {
  const char* text = std::getenv(name);
  return text && *text ? text : nullptr;
}

struct Plan {
  std::string function;
  uint64_t call;
};

std::mutex plans_lock;

std::vector<Plan>& plans() {
  static auto* all = [] {
    auto* found = new std::vector<Plan>;
    const char* text = variable("GRADUS_SHIM_FAIL");
    std::string rest = text ? text : "";
    while (!rest.empty()) {
      const size_t end = rest.find(',');
      const std::string one = rest.substr(0, end);
      rest = end == std::string::npos ? "" : rest.substr(end + 1);
      const size_t colon = one.find(':');
      if (colon == std::string::npos) {
        std::fprintf(stderr, "gradus-shim: GRADUS_SHIM_FAIL has `%s`, expected FUNCTION:CALL\n", one.c_str());
        std::abort();
      }
      found->push_back({one.substr(0, colon), std::strtoull(one.c_str() + colon + 1, nullptr, 10)});
    }
    return found;
  }();
  return *all;
}

Result typical_failure(const std::string& function) {
  if (function.find("Alloc") != std::string::npos) return kOutOfMemory;
  if (function == "cuInit") return kNoDevice;
  if (function == "cuModuleLoadData") return kInvalidImage;
  if (function == "cuModuleGetFunction") return kNotFound;
  if (function.find("Synchronize") != std::string::npos || function == "cuLaunchKernel") return kIllegalAddress;
  return kInvalidValue;
}

pthread_key_t current_key() {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    pthread_key_create(&made, nullptr);
    return made;
  }();
  return key;
}

bool in_an_allocation(const void* p, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  for (Device* device : settings().devices) {
    std::lock_guard hold(device->lock);
    auto next = device->allocations.upper_bound(at);
    if (next == device->allocations.begin()) continue;
    const auto& [begin, allocation] = *std::prev(next);
    if (at >= begin && at + bytes <= begin + allocation.bytes) return true;
  }
  return false;
}

}  // namespace

Settings& settings() {
  static auto* made = [] {
    auto* s = new Settings;
    const char* version = variable("GRADUS_SHIM_DRIVER_VERSION");
    s->driver_version = version ? std::atoi(version) : 13000;
    const char* order = variable("GRADUS_SHIM_ORDER");
    s->reverse = order && std::string(order) == "reverse";
    const char* streams = variable("GRADUS_SHIM_STREAMS");
    s->late = !streams || std::string(streams) != "eager";
    const char* count = variable("GRADUS_SHIM_DEVICES");
    const char* capability = variable("GRADUS_SHIM_CAPABILITY");
    const char* memory = variable("GRADUS_SHIM_MEMORY");
    const char* lost = variable("GRADUS_SHIM_LOST");
    int multiprocessors = 0;
    if (const char* text = variable("GRADUS_SHIM_MULTIPROCESSORS")) {
      multiprocessors = std::atoi(text);
      if (multiprocessors < 1) {
        std::fprintf(stderr, "gradus-shim: GRADUS_SHIM_MULTIPROCESSORS is `%s`, expected a number from 1\n", text);
        std::abort();
      }
    }
    // Compute capabilities, one a device; the last goes for those that follow.
    std::vector<int> capabilities;
    for (std::string rest = capability ? capability : "9.0,8.0,9.0"; !rest.empty();) {
      const size_t end = rest.find(',');
      capabilities.push_back(static_cast<int>(std::atof(rest.substr(0, end).c_str()) * 10 + 0.5));
      rest = end == std::string::npos ? "" : rest.substr(end + 1);
    }
    const int devices = count ? std::atoi(count) : static_cast<int>(capabilities.size());
    for (int i = 0; i < devices; ++i) {
      auto* device = new Device{};
      device->ordinal = i;
      device->capability = capabilities[std::min<size_t>(static_cast<size_t>(i), capabilities.size() - 1)];
      device->memory = memory ? std::strtoull(memory, nullptr, 10) : size_t{8} << 30;
      device->mig = variable("GRADUS_SHIM_MIG");
      device->multiprocessors = multiprocessors ? multiprocessors : device->mig ? 16 : device->capability >= 90 ? 132 : 108;
      device->null_stream.device = device;
      int which = 0;
      long long after = 0;
      if (lost && std::sscanf(lost, "%d:%lld", &which, &after) == 2 && which == i) device->lost_after = after;
      s->devices.push_back(device);
    }
    return s;
  }();
  global_range_known = in_an_allocation;
  return *made;
}

Result planned_failure(const char* function) {
  std::string name = function;
  // Versions of a call are one call to who plans.
  if (name.size() > 3 && name.compare(name.size() - 3, 2, "_v") == 0) name.resize(name.size() - 3);
  std::lock_guard hold(plans_lock);
  bool fails = false;
  for (Plan& plan : plans()) {
    if (plan.function == name && plan.call > 0 && --plan.call == 0) fails = true;
  }
  return fails ? typical_failure(name) : kSuccess;
}

Device* current() { return static_cast<Device*>(pthread_getspecific(current_key())); }
void set_current(Device* device) { pthread_setspecific(current_key(), device); }

Stream* stream_of(void* handle) {
  // 0, 1 and 2 are the default streams.
  if (reinterpret_cast<uintptr_t>(handle) <= 2) {
    Device* device = current();
    return device ? &device->null_stream : nullptr;
  }
  return static_cast<Stream*>(handle);
}

Result allocate(Device& device, size_t bytes, uintptr_t* out) {
  if (bytes == 0) return kInvalidValue;
  std::lock_guard hold(device.lock);
  if (bytes > device.memory || device.used > device.memory - bytes) return kOutOfMemory;
  const size_t all = (bytes + 2 * kGuard + 255) / 256 * 256;
  char* block = nullptr;
  if (bytes < kSparse) {
    block = static_cast<char*>(std::aligned_alloc(256, all));
    if (!block) return kOutOfMemory;
    std::memset(block, kPoison, all);
  } else {
    void* const pages = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) return kOutOfMemory;
    block = static_cast<char*>(pages);
    std::memset(block, kPoison, kGuard);
    std::memset(block + kGuard + bytes, kPoison, all - kGuard - bytes);
  }
  const auto at = reinterpret_cast<uintptr_t>(block + kGuard);
  device.allocations[at] = {block, bytes};
  device.used += bytes;
#if GRADUS_SHIM_ASAN
  ASAN_POISON_MEMORY_REGION(block, kGuard);
  ASAN_POISON_MEMORY_REGION(block + kGuard + bytes, all - kGuard - bytes);
#endif
  *out = at;
  return kSuccess;
}

Result count_freed(Device& device, uintptr_t at) {
  std::lock_guard hold(device.lock);
  auto found = device.allocations.find(at);
  if (found == device.allocations.end() || found->second.freed) return kInvalidValue;
  found->second.freed = true;
  device.used -= found->second.bytes;
  return kSuccess;
}

Result release(Device& device, uintptr_t at) {
  std::lock_guard hold(device.lock);
  auto found = device.allocations.find(at);
  if (found == device.allocations.end()) return kInvalidValue;
  char* const block = found->second.block;
  const size_t bytes = found->second.bytes;
  Result result = kSuccess;
#if GRADUS_SHIM_ASAN
  ASAN_UNPOISON_MEMORY_REGION(block, (bytes + 2 * kGuard + 255) / 256 * 256);
#else
  for (size_t i = 0; i < kGuard; ++i) {
    if (static_cast<unsigned char>(block[i]) != kPoison || static_cast<unsigned char>(block[kGuard + bytes + i]) != kPoison) {
      std::fprintf(stderr, "gradus-shim: something wrote outside an allocation of %zu bytes\n", bytes);
      result = device.lost = kIllegalAddress;
      break;
    }
  }
#endif
  device.allocations.erase(found);
  if (bytes < kSparse) {
    std::free(block);
  } else {
    munmap(block, (bytes + 2 * kGuard + 255) / 256 * 256);
  }
  return result;
}

}  // namespace gradus::shim::driver
