// The driver's interface, continued: copies, streams, graphs, events.
#include <cstdio>
#include <cstring>
#include <utility>

#include "state.h"

using namespace gradus::shim;
using namespace gradus::shim::driver;

namespace {

// A copy's side on the device, or null.
bool is_there(const void* p, size_t bytes) { return !p || global_range_known(p, bytes); }

Result copy_now(void* to, const void* from, size_t bytes, const void* device_to, const void* device_from) {
  for (const void* p : {device_to, device_from}) {
    if (is_there(p, bytes)) continue;
    std::fprintf(stderr, "gradus-shim: a copy of %zu bytes was given before its memory at %p was freed, and runs after that\n", bytes, p);
    return kIllegalAddress;
  }
  std::memmove(to, from, bytes);
  return kSuccess;
}

Result copy(void* handle, void* to, const void* from, size_t bytes, const void* device_to, const void* device_from) {
  Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  if (!is_there(device_to, bytes) || !is_there(device_from, bytes)) return kInvalidValue;
  Work work{[=] { return copy_now(to, from, bytes, device_to, device_from); }};
  const void* host = device_to ? (device_from ? nullptr : from) : to;
  if (!host || stream->recording) return submit(stream, std::move(work));
  if (is_pinned(host, bytes)) {
    work.host = reinterpret_cast<uintptr_t>(host);
    work.host_bytes = bytes;
    return submit(stream, std::move(work));
  }
  if (!device_to) {
    // To pageable memory: the call returns when it is done.
    if (auto failure = finish(stream)) return failure;
    return work.run();
  }
  // From pageable memory: it may change when the call returns.
  const char* first = static_cast<const char*>(from);
  auto staged = std::make_shared<std::vector<char>>(first, first + bytes);
  return submit(stream, {[=] { return copy_now(to, staged->data(), bytes, device_to, nullptr); }});
}

}  // namespace

API cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t bytes, void* stream) {
  GRADUS_ENTER(device);
  auto* p = reinterpret_cast<void*>(to);
  return copy(stream, p, from, bytes, p, nullptr);
}
API cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t bytes, void* stream) {
  GRADUS_ENTER(device);
  auto* p = reinterpret_cast<const void*>(from);
  return copy(stream, to, p, bytes, nullptr, p);
}
API cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void* stream) {
  GRADUS_ENTER(device);
  auto* t = reinterpret_cast<void*>(to);
  auto* f = reinterpret_cast<const void*>(from);
  return copy(stream, t, f, bytes, t, f);
}
API cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void* handle) {
  GRADUS_ENTER(device);
  auto* p = reinterpret_cast<void*>(to);
  if (!global_range_known(p, bytes)) return kInvalidValue;
  return submit(stream_of(handle), {[=] {
    std::memset(p, value, bytes);
    return kSuccess;
  }});
}

API cuStreamCreate(void** stream, unsigned) {
  GRADUS_ENTER(device);
  *stream = new Stream{device, nullptr, new_queue(*device)};
  return kSuccess;
}
API cuStreamDestroy_v2(void* handle) {
  auto* stream = static_cast<Stream*>(handle);
  finish(stream);
  delete stream;
  return kSuccess;
}
API cuStreamSynchronize(void* handle) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  return stream->recording ? kStreamCaptureUnsupported : finish(stream);
}
API cuStreamWaitEvent(void* handle, void* event, unsigned) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream || !event) return kInvalidHandle;
  const std::shared_ptr<Mark> mark = static_cast<Event*>(event)->mark;
  if (!mark || !mark->queue || stream->recording) return kSuccess;
  // Another device's work is finished here: each device has a lock of its own.
  if (mark->queue->device != stream->device) return finish(*mark->queue, mark->position);
  return submit(stream, {[=] { return finish(*mark->queue, mark->position); }});
}
API cuStreamBeginCapture_v2(void* handle, int) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream || stream->recording) return kInvalidValue;
  stream->recording = new Graph;
  return kSuccess;
}
API cuStreamEndCapture(void* handle, void** graph) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream || !stream->recording) return kInvalidValue;
  *graph = std::exchange(stream->recording, nullptr);
  return kSuccess;
}
API cuStreamIsCapturing(void* handle, int* status) {
  const Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  *status = stream->recording ? 1 : 0;
  return kSuccess;
}
API cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  GRADUS_ENTER(device);
  *exec = new Graph(*static_cast<Graph*>(graph));
  return kSuccess;
}
API cuGraphLaunch(void* exec, void* handle) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  for (const Work& work : static_cast<Graph*>(exec)->work) {
    if (auto failure = submit(stream, work)) return failure;
  }
  return kSuccess;
}
API cuGraphUpload(void*, void*) { return kSuccess; }
API cuGraphExecDestroy(void* exec) {
  delete static_cast<Graph*>(exec);
  return kSuccess;
}
API cuGraphDestroy(void* graph) {
  delete static_cast<Graph*>(graph);
  return kSuccess;
}

API cuEventCreate(void** event, unsigned) {
  GRADUS_ENTER(device);
  *event = new Event;
  return kSuccess;
}
API cuEventDestroy_v2(void* event) {
  delete static_cast<Event*>(event);
  return kSuccess;
}
API cuEventRecord(void* handle, void* stream_handle) {
  GRADUS_ENTER(device);
  Stream* stream = stream_of(stream_handle);
  if (!stream) return kInvalidHandle;
  const auto mark = std::make_shared<Mark>();
  const Result given = submit(stream, {[=] {
    mark->at = std::chrono::steady_clock::now();
    return kSuccess;
  }});
  if (settings().late && stream->queue && !stream->recording) {
    std::lock_guard hold(device->running);
    mark->queue = stream->queue;
    mark->position = stream->queue->given;
  }
  static_cast<Event*>(handle)->mark = mark;
  return given;
}
API cuEventSynchronize(void* event) {
  GRADUS_ENTER(device);
  const std::shared_ptr<Mark> mark = static_cast<Event*>(event)->mark;
  return mark && mark->queue ? finish(*mark->queue, mark->position) : kSuccess;
}
API cuEventQuery(void* event) {
  GRADUS_ENTER(device);
  const std::shared_ptr<Mark> mark = static_cast<Event*>(event)->mark;
  return !mark || !mark->queue || mark->queue->done >= mark->position ? kSuccess : kNotReady;
}
API cuEventElapsedTime_v2(float* ms, void* from, void* to) {
  GRADUS_ENTER(device);
  for (void* event : {from, to}) {
    if (!static_cast<Event*>(event)->mark) return kInvalidHandle;
    if (auto state = cuEventQuery(event)) return state;
  }
  *ms = std::chrono::duration<float, std::milli>(static_cast<Event*>(to)->mark->at - static_cast<Event*>(from)->mark->at).count();
  return kSuccess;
}
API cuEventElapsedTime(float* ms, void* from, void* to) { return cuEventElapsedTime_v2(ms, from, to); }

// For the emulated libraries beside this one: work in the order of a stream.
API gradus_shim_submit(void* stream, const std::function<int()>* work) {
  GRADUS_ENTER(device);
  return submit(stream_of(stream), {[run = *work] { return static_cast<Result>(run()); }});
}
