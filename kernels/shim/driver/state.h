// The emulated driver's objects. Work runs in the thread of a caller: of the one who waits for it, or with GRADUS_SHIM_STREAMS=eager of the one
// who gives it.
//
// No thread-local variables here: the library's thread-local segment holds the kernels' shared memory and is overwritten around them.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
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

// Something that a stream does. `host` is pinned memory that it copies from or to.
struct Work {
  std::function<Result()> run;
  uintptr_t host = 0;
  size_t host_bytes = 0;
};

struct Graph {
  std::vector<Work> work;
};

struct Device;

// What a stream was given and has not done. Guarded by the device's `running`.
struct Queue {
  Device* device = nullptr;
  std::deque<Work> pending;
  uint64_t given = 0;
  std::atomic<uint64_t> done{0};
};

struct Stream {
  Device* device;
  Graph* recording = nullptr;
  std::shared_ptr<Queue> queue;  // null: a default stream
};

// Where an event was recorded last. `queue` is null where the work before it was done at once.
struct Mark {
  std::shared_ptr<Queue> queue;
  uint64_t position = 0;
  std::chrono::steady_clock::time_point at;
};

struct Event {
  std::shared_ptr<Mark> mark;
};

struct Allocation {
  char* block;  // with guards
  size_t bytes;
  bool freed = false;  // by work that waits
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
  int multiprocessors;
  std::mutex lock;
  std::map<uintptr_t, Allocation> allocations;
  size_t used = 0;
  uint64_t launches = 0;
  int64_t lost_after = -1;
  std::atomic<Result> lost{kSuccess};
  Stream null_stream;
  // Held while work of its streams runs, and while they are given some.
  std::recursive_mutex running;
  std::vector<std::weak_ptr<Queue>> queues;
};

// Reads the environment at the first call.
struct Settings {
  int driver_version;
  bool reverse;
  bool late;  // work of streams waits until somebody needs it
  std::vector<Device*> devices;
};
Settings& settings();

// kSuccess, or what GRADUS_SHIM_FAIL wants this call to return.
Result planned_failure(const char* function);
// The calling thread's device; null without a context.
Device* current();
void set_current(Device* device);

std::shared_ptr<Queue> new_queue(Device& device);
// Recorded if the stream records, else given to its queue, or run at once.
Result submit(Stream* stream, Work work);
Stream* stream_of(void* handle);
// Does what a queue was given, up to a position or all of it; what the device says then.
Result finish(Queue& queue, uint64_t position);
Result finish(Queue& queue);
Result finish_all(Device& device);
inline Result finish(Stream* stream) { return stream->queue ? finish(*stream->queue) : finish_all(*stream->device); }

// Pinned memory. Freeing some that a copy still waits for loses the device.
void note_pinned(const void* at, size_t bytes);
bool is_pinned(const void* p, size_t bytes);
void forget_pinned(const void* at);

Result allocate(Device& device, size_t bytes, uintptr_t* out);
// Counts it as free from now on; the memory itself goes with `release`.
Result count_freed(Device& device, uintptr_t at);
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
