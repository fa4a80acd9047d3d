// Meetings of a warp, of a warpgroup, of the block and of named parts of it.
#include "worker.h"

namespace gradus::shim {

namespace {

void collect(Block& block, unsigned warp, Fiber* lanes[32]) {
  for (unsigned l = 0; l < 32; ++l) {
    const unsigned t = warp * 32 + l;
    lanes[l] = t < block.threads ? block.fibers[t].get() : nullptr;
  }
}

}  // namespace

void meet(uint32_t mask, const char* what, void* arg, void (*act)(Fiber* const lanes[32], uint32_t arrived, uint32_t mask), Site site) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  const unsigned w = fiber.thread >> 5;
  const uint32_t bit = 1u << (fiber.thread & 31);
  Warp& warp = block.warps[w];
  if (!(mask & bit)) fail(format("%s with mask %08x, which lacks the calling lane %u (%s)", what, mask, fiber.thread & 31, describe(site).c_str()));
  fiber.collective_arg = arg;
  WarpMeeting* meeting = nullptr;
  for (WarpMeeting& m : warp.meetings) {
    if (m.mask == mask) {
      if (m.what != what && std::strcmp(m.what, what) != 0) {
        fail(format("divergent warp: this lane is in %s (%s), while lanes %08x wait in %s with the same mask", what, describe(site).c_str(), m.arrived,
                    m.what));
      }
      meeting = &m;
    } else if (m.mask & mask & ~warp.exited) {
      fail(format("divergent warp: %s with mask %08x (%s), while lanes %08x wait in %s with mask %08x", what, mask, describe(site).c_str(), m.arrived,
                  m.what, m.mask));
    }
  }
  if (!meeting) {
    warp.meetings.push_back({mask, 0, what, act});
    meeting = &warp.meetings.back();
  }
  meeting->arrived |= bit;
  if (meeting->arrived == (mask & ~warp.exited)) {
    const uint32_t arrived = meeting->arrived;
    *meeting = warp.meetings.back();
    warp.meetings.pop_back();
    if (act) {
      Fiber* lanes[32];
      collect(block, w, lanes);
      act(lanes, arrived, mask);
    }
    wake(block, w, arrived & ~bit);
  } else {
    wait_here(what, site, nullptr, mask);
  }
}

void finish_meetings(Block& block, unsigned w) {
  Warp& warp = block.warps[w];
  for (size_t i = 0; i < warp.meetings.size();) {
    const WarpMeeting m = warp.meetings[i];
    if (m.arrived && m.arrived == (m.mask & ~warp.exited)) {
      warp.meetings.erase(warp.meetings.begin() + static_cast<long>(i));
      if (m.act) {
        Fiber* lanes[32];
        collect(block, w, lanes);
        m.act(lanes, m.arrived, m.mask);
      }
      wake(block, w, m.arrived);
    } else {
      ++i;
    }
  }
}

void sync_threads(Site site) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  NamedBarrier& b = block.barriers[0];
  const unsigned w = fiber.thread >> 5;
  if (!b.waiting.lanes[w]) {
    b.site[w] = site;
  } else if (b.site[w].line != site.line || std::strcmp(b.site[w].file, site.file) != 0) {
    fail(format("divergent barrier: this thread is in __syncthreads at %s, lanes %08x of its warp in the one at %s", describe(site).c_str(),
                b.waiting.lanes[w], describe(b.site[w]).c_str()));
  }
  if (++b.arrived == block.alive) {
    b.arrived = 0;
    wake_all(block, b.waiting);
  } else {
    b.waiting.add(fiber.thread);
    wait_here("__syncthreads", site);
  }
}

void barrier_sync(int id, unsigned threads, bool wait, Site site) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  if (id < 1 || id > 15) fail(format("named barrier %d at %s; 1 to 15 exist, 0 is __syncthreads", id, describe(site).c_str()));
  if (threads == 0 || threads % 32 || threads > block.num_warps * 32) {
    fail(format("named barrier %d of %u threads at %s: a multiple of 32, at most the block's %u", id, threads, describe(site).c_str(), block.threads));
  }
  NamedBarrier& b = block.barriers[id];
  if (b.arrived == 0) b.expected = threads;
  if (b.expected != threads) {
    fail(format("named barrier %d: this thread expects %u threads (%s), the earlier ones %u", id, threads, describe(site).c_str(), b.expected));
  }
  if (++b.arrived == b.expected) {
    b.arrived = 0;
    wake_all(block, b.waiting);
  } else if (wait) {
    b.waiting.add(fiber.thread);
    wait_here("named barrier", site, nullptr, static_cast<unsigned>(id));
  }
}

void meet_warpgroup(const char* what, void (*act)(Block&, unsigned, void*), void* arg, Site site) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  const unsigned g = fiber.thread >> 7;
  if ((g + 1) * 128 > block.threads) fail(format("%s at %s: the block has no whole warpgroup here (%u threads)", what, describe(site).c_str(), block.threads));
  Warpgroup& group = block.warpgroups[g];
  if (++group.arrived == 128) {
    group.arrived = 0;
    if (act) act(block, g, arg);
    wake_all(block, group.waiting);
  } else {
    group.waiting.add(fiber.thread);
    wait_here(what, site);
  }
}

}  // namespace gradus::shim
