// mbarriers and loads that complete on them. A load lands only when no thread of the block can run: as late as the machine may.
#include "gradus_shim/ptx_sm90.h"
#include "worker.h"

namespace gradus::shim {

namespace {

constexpr uint64_t kMagic = 0x6d62617200000000;  // high half of an initialised barrier's bits; low half: its index

Mbarrier& find(Block& block, const uint64_t* bar, const char* what, Site site) {
  if (reinterpret_cast<uintptr_t>(bar) % 8) fail(format("%s at %s: mbarrier %p is not 8-byte aligned", what, describe(site).c_str(), static_cast<const void*>(bar)), true);
  uint64_t bits;
  std::memcpy(&bits, bar, 8);
  const uint64_t index = bits & 0xffffffffu;
  if ((bits & ~uint64_t{0xffffffff}) != kMagic || index >= block.mbarriers.size() || block.mbarriers[index].at != bar) {
    fail(format("%s at %s: the mbarrier at shared memory + %td is not initialised, or was written over", what, describe(site).c_str(),
                reinterpret_cast<const char*>(bar) - block.dynamic));
  }
  return block.mbarriers[index];
}

void complete(Block& block, Mbarrier& b) {
  if (b.pending || b.bytes) return;
  ++b.phase;
  b.pending = b.count;
  if (b.any_waiting) wake_all(block, b.waiting);
  b.any_waiting = false;
}

// Called outside a fiber, so failures are recorded rather than thrown.
void land(Block& block, PendingLoad load) {
  if (load.map) {
    tensor_load(load.map, load.smem, load.at);
  } else {
    std::memcpy(load.smem, load.from, load.bytes);
  }
  uint64_t bits;
  std::memcpy(&bits, load.bar, 8);
  const uint64_t index = bits & 0xffffffffu;
  if ((bits & ~uint64_t{0xffffffff}) != kMagic || index >= block.mbarriers.size() || block.mbarriers[index].at != load.bar) {
    block.failed = true;
    block.failure = format("the load issued at %s landed on an mbarrier that was written over", describe(load.site).c_str());
    return;
  }
  Mbarrier& b = block.mbarriers[index];
  b.bytes -= static_cast<int64_t>(load.bytes);
  complete(block, b);
}

}  // namespace

void leave_mbarriers(Block& block) { block.mbarriers.clear(); }

std::string describe_mbarriers(const Block& block) {
  std::string text;
  for (const Mbarrier& b : block.mbarriers) {
    if (!b.any_waiting) continue;
    text += format("\n  mbarrier at shared memory + %td: phase %u, %u of %u arrivals missing, %lld bytes missing",
                   reinterpret_cast<const char*>(b.at) - block.dynamic, b.phase, b.pending, b.count, static_cast<long long>(b.bytes));
  }
  return text;
}

void mbarrier_init(uint64_t* bar, uint32_t count, Site site) {
  require_capability(90, "mbarrier_init");
  if (count == 0 || count >= 1u << 20) fail(format("mbarrier_init at %s: count %u, expected 1 to 2^20 - 1", describe(site).c_str(), count));
  Block& block = *self().block;
  size_t index = 0;
  while (index < block.mbarriers.size() && block.mbarriers[index].at != bar) ++index;
  if (index == block.mbarriers.size()) block.mbarriers.emplace_back();
  Mbarrier& b = block.mbarriers[index];
  if (b.any_waiting) fail(format("mbarrier_init at %s while threads wait on that mbarrier", describe(site).c_str()));
  b = {};
  b.at = bar;
  b.count = b.pending = count;
  const uint64_t bits = kMagic | index;
  std::memcpy(bar, &bits, 8);
}

void mbarrier_arrive(uint64_t* bar, uint32_t bytes, Site site) {
  require_capability(90, "mbarrier_arrive");
  Block& block = *self().block;
  Mbarrier& b = find(block, bar, "mbarrier_arrive", site);
  if (bytes >= 1u << 20) fail(format("mbarrier_arrive_expect_tx at %s: %u bytes, a barrier counts to 2^20 - 1", describe(site).c_str(), bytes));
  if (b.pending == 0) fail(format("mbarrier_arrive at %s: all %u arrivals of the phase have come already", describe(site).c_str(), b.count));
  b.bytes += bytes;
  --b.pending;
  complete(block, b);
}

void mbarrier_wait(uint64_t* bar, uint32_t parity, Site site) {
  require_capability(90, "mbarrier_wait");
  if (parity > 1) fail(format("mbarrier_wait at %s: parity %u, expected 0 or 1", describe(site).c_str(), parity));
  Block& block = *self().block;
  // Looked at again when woken: a thread that slept through two phases waits on, as it would on the device.
  for (;;) {
    Mbarrier& b = find(block, bar, "mbarrier_wait", site);
    if ((b.phase & 1) != parity) return;
    b.waiting.add(self().thread);
    b.any_waiting = true;
    wait_here("mbarrier_wait", site, bar, parity);
  }
}

void bulk_load(void* smem, const void* gmem, uint32_t bytes, uint64_t* bar, Site site) {
  require_capability(90, "bulk_load");
  if (reinterpret_cast<uintptr_t>(smem) % 16 || reinterpret_cast<uintptr_t>(gmem) % 16 || bytes % 16 || bytes == 0) {
    fail(format("bulk_load at %s: addresses and size must be multiples of 16, found %p to %p, %u bytes", describe(site).c_str(), gmem, smem, bytes), true);
  }
  Block& block = *self().block;
  find(block, bar, "bulk_load", site);
  check_global(gmem, bytes, "bulk_load");
  std::memset(smem, kPoison, bytes);
  block.loads.push_back({nullptr, gmem, smem, bytes, {}, bar, site});
}

void tma_load(void* smem, const void* map, const int* at, int rank, uint64_t* bar, Site site) {
  require_capability(90, "tma_load");
  if (!tensor_map_valid(map)) fail(format("tma_load at %s: the tensor map was not made by cuTensorMapEncodeTiled, or is not 64-byte aligned", describe(site).c_str()));
  if (tensor_rank(map) != rank) fail(format("tma_load_%dd at %s: the tensor map has %d dimensions", rank, describe(site).c_str(), tensor_rank(map)));
  if (reinterpret_cast<uintptr_t>(smem) % 128) {
    fail(format("tma_load at %s: shared memory + %td is not 128-byte aligned", describe(site).c_str(), static_cast<char*>(smem) - self().block->dynamic), true);
  }
  Block& block = *self().block;
  find(block, bar, "tma_load", site);
  const uint64_t bytes = tensor_box_bytes(map);
  std::memset(smem, kPoison, bytes);
  block.loads.push_back({map, nullptr, smem, bytes, {at[0], at[1], at[2], at[3], at[4]}, bar, site});
}

bool land_one_load(Block& block) {
  if (block.loads.empty()) return false;
  // Loads complete in any order: the oldest first, or the newest.
  const size_t i = block.reverse ? block.loads.size() - 1 : 0;
  const PendingLoad load = block.loads[i];
  block.loads.erase(block.loads.begin() + static_cast<long>(i));
  land(block, load);
  return true;
}

bool elect(Site site) {
  bool chosen = false;
  meet(0xffffffffu, "elect_one", &chosen,
       [](Fiber* const lanes[32], uint32_t arrived, uint32_t) { *static_cast<bool*>(lanes[__builtin_ctz(arrived)]->collective_arg) = true; }, site);
  return chosen;
}

void set_max_registers(Site site) {
  require_capability(90, "setmaxnreg");
  meet_warpgroup("setmaxnreg", nullptr, nullptr, site);
}

}  // namespace gradus::shim
