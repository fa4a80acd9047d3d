// The driver's interface, continued: copies, streams, graphs, events.
#include <cstring>
#include <utility>

#include "state.h"

using namespace gradus::shim;
using namespace gradus::shim::driver;

static Result copy(void* handle, void* to, const void* from, size_t bytes, const void* device_to, const void* device_from) {
  Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  for (const void* p : {device_to, device_from}) {
    if (p && !global_range_known(p, bytes)) return kInvalidValue;
  }
  return submit(stream, [=] {
    std::memmove(to, from, bytes);
    return kSuccess;
  });
}
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
  return submit(stream_of(handle), [=] {
    std::memset(p, value, bytes);
    return kSuccess;
  });
}

API cuStreamCreate(void** stream, unsigned) {
  GRADUS_ENTER(device);
  *stream = new Stream{device};
  return kSuccess;
}
API cuStreamDestroy_v2(void* stream) {
  delete static_cast<Stream*>(stream);
  return kSuccess;
}
API cuStreamSynchronize(void* handle) {
  GRADUS_ENTER(device);
  const Stream* stream = stream_of(handle);
  if (!stream) return kInvalidHandle;
  return stream->recording ? kStreamCaptureUnsupported : stream->device->lost;
}
API cuStreamWaitEvent(void* stream, void* event, unsigned) {
  GRADUS_ENTER(device);
  return stream_of(stream) && event ? kSuccess : kInvalidHandle;
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
API cuGraphLaunch(void* exec, void*) {
  GRADUS_ENTER(device);
  for (const auto& work : static_cast<Graph*>(exec)->work) {
    if (auto failure = work()) return failure;
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
API cuEventRecord(void* handle, void* stream) {
  GRADUS_ENTER(device);
  if (!stream_of(stream)) return kInvalidHandle;
  auto* event = static_cast<Event*>(handle);
  event->recorded = true;
  event->at = std::chrono::steady_clock::now();
  return kSuccess;
}
API cuEventSynchronize(void*) {
  GRADUS_ENTER(device);
  return kSuccess;
}
API cuEventQuery(void*) {
  GRADUS_ENTER(device);
  return kSuccess;
}
API cuEventElapsedTime_v2(float* ms, void* from, void* to) {
  GRADUS_ENTER(device);
  const auto *a = static_cast<Event*>(from), *b = static_cast<Event*>(to);
  if (!a->recorded || !b->recorded) return kInvalidHandle;
  *ms = std::chrono::duration<float, std::milli>(b->at - a->at).count();
  return kSuccess;
}
API cuEventElapsedTime(float* ms, void* from, void* to) { return cuEventElapsedTime_v2(ms, from, to); }
