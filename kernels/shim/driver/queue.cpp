// Streams whose work waits until somebody needs it: a wait that is missing, between streams or on the host, shows as stale or overwritten values.
#include <algorithm>
#include <cstdio>

#include "state.h"

namespace gradus::shim::driver {

namespace {

std::mutex pinned_lock;
std::map<uintptr_t, size_t>& pinned_ranges() {
  static auto* all = new std::map<uintptr_t, size_t>;
  return *all;
}

bool overlap(uintptr_t a, size_t a_bytes, uintptr_t b, size_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

}  // namespace

std::shared_ptr<Queue> new_queue(Device& device) {
  auto queue = std::make_shared<Queue>();
  queue->device = &device;
  std::lock_guard hold(device.running);
  std::erase_if(device.queues, [](const std::weak_ptr<Queue>& gone) { return gone.expired(); });
  device.queues.push_back(queue);
  return queue;
}

Result submit(Stream* stream, Work work) {
  if (!stream) return kInvalidHandle;
  if (stream->recording) {
    stream->recording->work.push_back(std::move(work));
    return kSuccess;
  }
  Device& device = *stream->device;
  if (!settings().late) return work.run();
  std::lock_guard hold(device.running);
  if (!stream->queue) {
    // The default stream comes after all others.
    if (auto failure = finish_all(device)) return failure;
    return work.run();
  }
  stream->queue->pending.push_back(std::move(work));
  ++stream->queue->given;
  return kSuccess;
}

Result finish(Queue& queue, uint64_t position) {
  Device& device = *queue.device;
  std::lock_guard hold(device.running);
  // What this waits for may come back here, for work before it only: an event is recorded before anybody waits for it.
  while (queue.done < position && !queue.pending.empty()) {
    const Work work = std::move(queue.pending.front());
    queue.pending.pop_front();
    const Result failure = device.lost ? device.lost.load() : work.run();
    if (failure && !device.lost) device.lost = failure;
    ++queue.done;
  }
  return device.lost;
}

Result finish(Queue& queue) {
  std::lock_guard hold(queue.device->running);
  return finish(queue, queue.given);
}

Result finish_all(Device& device) {
  std::lock_guard hold(device.running);
  for (size_t i = 0; i < device.queues.size(); ++i) {
    if (const auto queue = device.queues[i].lock()) finish(*queue);
  }
  return device.lost;
}

void note_pinned(const void* at, size_t bytes) {
  std::lock_guard hold(pinned_lock);
  pinned_ranges()[reinterpret_cast<uintptr_t>(at)] = bytes;
}

bool is_pinned(const void* p, size_t bytes) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  std::lock_guard hold(pinned_lock);
  const auto next = pinned_ranges().upper_bound(at);
  if (next == pinned_ranges().begin()) return false;
  const auto& [begin, length] = *std::prev(next);
  return at + bytes <= begin + length;
}

void forget_pinned(const void* p) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  size_t bytes = 0;
  {
    std::lock_guard hold(pinned_lock);
    const auto found = pinned_ranges().find(at);
    if (found == pinned_ranges().end()) return;
    bytes = found->second;
    pinned_ranges().erase(found);
  }
  for (Device* device : settings().devices) {
    std::lock_guard hold(device->running);
    for (const auto& one : device->queues) {
      const auto queue = one.lock();
      if (!queue || device->lost) continue;
      for (const Work& work : queue->pending) {
        if (!work.host_bytes || !overlap(work.host, work.host_bytes, at, bytes)) continue;
        std::fprintf(stderr, "gradus-shim: pinned memory of %zu bytes is freed while a copy of it waits on device %d\n", bytes, device->ordinal);
        device->lost = kIllegalAddress;
        break;
      }
    }
  }
}

}  // namespace gradus::shim::driver
