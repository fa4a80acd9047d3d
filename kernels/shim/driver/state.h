// The emulated driver's objects. Everything runs when it is called, in the caller's thread: a stream is a place to record graphs.
//
// No thread-local variables here: the library's thread-local segment holds the kernels' shared memory and is overwritten around them.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gradus_shim/core.h"

namespace gradus::shim::driver {

// CUresult, as the driver numbers it.
enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kUnsupportedPtxVersion = 222,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kLaunchFailed = 719,
  kNotSupported = 801,
  kSystemDriverMismatch = 803,
  kStreamCaptureUnsupported = 900,
  kStreamCaptureInvalidated = 901,
  kUnknown = 999,
};

struct Graph {
  std::vector<std::function<Result()>> work;
};

struct Device;

struct Stream {
  Device* device;
  Graph* recording = nullptr;
};

struct Event {
  bool recorded = false;
  std::chrono::steady_clock::time_point at;
};

struct Allocation {
  char* block;  // with guards
  size_t bytes;
};

struct Function {
  const Kernel* kernel;
  size_t dynamic_bytes_max = 48 * 1024;
};

struct Module {
  Device* device;
  std::map<std::string, Function> functions;
};

// A GPU: its memory, and whether it is lost.
struct Device {
  int ordinal;
  int capability;  // 90 for 9.0
  size_t memory;
  const char* mig;  // its profile if it is a MIG instance, or null
  std::mutex lock;
  std::map<uintptr_t, Allocation> allocations;
  size_t used = 0;
  uint64_t launches = 0;
  int64_t lost_after = -1;
  Result lost = kSuccess;
  Stream null_stream;
};

// Reads the environment at the first call.
struct Settings {
  int driver_version;
  bool reverse;
  std::vector<Device*> devices;
};
Settings& settings();

// kSuccess, or what GRADUS_SHIM_FAIL wants this call to return.
Result planned_failure(const char* function);
// The calling thread's device; null without a context.
Device* current();
void set_current(Device* device);

// Runs now, or is recorded if the stream records.
Result submit(Stream* stream, std::function<Result()> work);
Stream* stream_of(void* handle);

Result allocate(Device& device, size_t bytes, uintptr_t* out);
Result release(Device& device, uintptr_t at);

}  // namespace gradus::shim::driver

// A function of the driver.
#define API extern "C" __attribute__((visibility("default"))) ::gradus::shim::driver::Result

// Fails as planned, without a context, or on a lost device; else goes on.
#define GRADUS_ENTER(device)                                                       \
  if (auto failure = planned_failure(__func__)) return failure;                   \
  Device* const device = current();                                               \
  if (!device) return kInvalidContext;                                            \
  if (device->lost) return device->lost
