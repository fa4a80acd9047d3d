// Fibers: stacks, the switch, the choice of the next one, one block from start to end.
#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "worker.h"
#if GRADUS_SHIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace gradus::shim {

thread_local ThreadState thread_state;

extern "C" __attribute__((visibility("hidden"))) void gradus_shim_switch(void** from, void* to);
// Callee-saved registers of the System V ABI go to the old stack; the new stack's come back. Kernels do not change the rounding mode.
asm(R"(
.text
.globl gradus_shim_switch
.hidden gradus_shim_switch
.type gradus_shim_switch,@function
gradus_shim_switch:
 push %rbp
 push %rbx
 push %r12
 push %r13
 push %r14
 push %r15
 mov %rsp,(%rdi)
 mov %rsi,%rsp
 pop %r15
 pop %r14
 pop %r13
 pop %r12
 pop %rbx
 pop %rbp
 ret
.size gradus_shim_switch,.-gradus_shim_switch
)");

namespace {

constexpr size_t kGuardBytes = 4096;
constexpr size_t kStackBytes = GRADUS_SHIM_ASAN ? 512 * 1024 : 128 * 1024;

Fiber* pick(Block& block) {
  if (!block.warps_ready) return nullptr;
  const unsigned w = block.reverse ? 31 - __builtin_clz(block.warps_ready) : __builtin_ctz(block.warps_ready);
  Warp& warp = block.warps[w];
  const unsigned lane = block.reverse ? 31 - __builtin_clz(warp.ready) : __builtin_ctz(warp.ready);
  warp.ready &= ~(1u << lane);
  if (!warp.ready) block.warps_ready &= ~(1u << w);
  return block.fibers[w * 32 + lane].get();
}

void switch_to_fiber(void** from, void** fake_stack, Fiber& to) {
  thread_state.fiber = &to;
#if GRADUS_SHIM_ASAN
  __sanitizer_start_switch_fiber(fake_stack, to.stack, to.stack_bytes);
  gradus_shim_switch(from, to.sp);
  __sanitizer_finish_switch_fiber(fake_stack ? *fake_stack : nullptr, nullptr, nullptr);
#else
  (void)fake_stack;
  gradus_shim_switch(from, to.sp);
#endif
}

void switch_to_scheduler(Block& block, void** from, void** fake_stack) {
#if GRADUS_SHIM_ASAN
  __sanitizer_start_switch_fiber(fake_stack, block.scheduler_stack, block.scheduler_stack_bytes);
  gradus_shim_switch(from, block.scheduler_sp);
  __sanitizer_finish_switch_fiber(fake_stack ? *fake_stack : nullptr, nullptr, nullptr);
#else
  (void)fake_stack;
  gradus_shim_switch(from, block.scheduler_sp);
#endif
}

// The thread is gone: whoever waited only for it goes on.
void leave(Fiber& fiber) {
  Block& block = *fiber.block;
  fiber.done = true;
  --block.alive;
  Warp& warp = block.warps[fiber.thread >> 5];
  warp.exited |= 1u << (fiber.thread & 31);
  NamedBarrier& all = block.barriers[0];
  if (block.alive && all.arrived == block.alive) {
    all.arrived = 0;
    wake_all(block, all.waiting);
  }
  finish_meetings(block, fiber.thread >> 5);
}

[[noreturn]] void entry() {
#if GRADUS_SHIM_ASAN
  {
    // The first switch comes from the scheduler or from another fiber; only the scheduler's stack bounds are wanted.
    const void* bottom = nullptr;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(nullptr, &bottom, &size);
    Block& b = *thread_state.fiber->block;
    if (!b.scheduler_stack) b.scheduler_stack = bottom, b.scheduler_stack_bytes = size;
  }
#endif
  Fiber& fiber = self();
  Block& block = *fiber.block;
  block.launch->kernel->body(block.launch->params);
  check_exit(fiber);
  leave(fiber);
  void* unused;
  if (Fiber* next = pick(block)) {
    switch_to_fiber(&unused, nullptr, *next);
  } else {
    switch_to_scheduler(block, &unused, nullptr);
  }
  __builtin_trap();
}

void prepare(Fiber& fiber, unsigned index) {
  if (!fiber.stack) {
    char* all = static_cast<char*>(mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (all == MAP_FAILED) std::perror("gradus-shim: no memory for a fiber's stack"), std::abort();
    mprotect(all, kGuardBytes, PROT_NONE);
    fiber.stack = all + kGuardBytes;
    fiber.stack_bytes = kStackBytes;
  }
#if GRADUS_SHIM_ASAN
  ASAN_UNPOISON_MEMORY_REGION(fiber.stack, fiber.stack_bytes);
#endif
  // Tops are staggered, or the hot lines of all stacks would share one cache set.
  char* top = fiber.stack + fiber.stack_bytes - 64 - (index % 29) * 320;
  void** sp = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
  *--sp = nullptr;
  *--sp = reinterpret_cast<void*>(&entry);
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  fiber.sp = sp;
  fiber.done = false;
  fiber.waits_in = nullptr;
  fiber.copies.clear();
  fiber.stores.clear();
  fiber.products.clear();
  for (LiveAccumulator& a : fiber.accumulators) a = {};
}

std::string deadlock(const Block& block) {
  std::string text = format("deadlock: %u of %u threads wait for what cannot come", block.alive, block.threads);
  unsigned named = 0;
  for (unsigned t = 0; t < block.threads; ++t) {
    const Fiber& f = *block.fibers[t];
    if (f.done) continue;
    unsigned last = t;  // threads in line that wait at the same place are one entry
    while (last + 1 < block.threads) {
      const Fiber& g = *block.fibers[last + 1];
      if (g.done || g.waits_in != f.waits_in || g.site.line != f.site.line || g.waits_on != f.waits_on || g.detail != f.detail) break;
      ++last;
    }
    if (++named > 12) {
      text += "\n  ...";
      break;
    }
    text += t == last ? format("\n  thread %u", t) : format("\n  threads %u .. %u", t, last);
    text += format(" in %s at %s", f.waits_in ? f.waits_in : "?", describe(f.site).c_str());
    if (f.waits_in && std::strcmp(f.waits_in, "named barrier") == 0) {
      const NamedBarrier& b = block.barriers[f.detail];
      text += format(" (barrier %u: %u of %u threads came)", f.detail, b.arrived, b.expected);
    } else if (f.waits_in && std::strcmp(f.waits_in, "mbarrier_wait") == 0) {
      text += format(" (shared memory + %td, parity %u)", static_cast<const char*>(f.waits_on) - block.dynamic, f.detail);
    }
    t = last;
  }
  if (block.alive < block.threads) text += format("\n  %u threads have ended", block.threads - block.alive);
  return text + describe_mbarriers(block);
}

}  // namespace

std::string format(const char* pattern, ...) {
  char buffer[1024];
  va_list args;
  va_start(args, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, args);
  va_end(args);
  return buffer;
}

std::string describe(const Site& site) {
  const char* name = std::strstr(site.file, "kernels/");
  return format("%s:%d", name ? name : site.file, site.line);
}

void wake(Block& block, unsigned warp, uint32_t lanes) {
  if (!lanes) return;
  block.warps[warp].ready |= lanes;
  block.warps_ready |= 1u << warp;
}

void wake_all(Block& block, ThreadSet& set) {
  for (unsigned w = 0; w < block.num_warps; ++w) {
    wake(block, w, set.lanes[w]);
    set.lanes[w] = 0;
  }
}

void wait_here(const char* what, Site site, const void* on, unsigned detail) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  fiber.waits_in = what;
  fiber.site = site;
  fiber.waits_on = on;
  fiber.detail = detail;
  Fiber* next = pick(block);
  if (next == &fiber) return;
  if (next) {
    switch_to_fiber(&fiber.sp, &fiber.asan_fake_stack, *next);
  } else {
    switch_to_scheduler(block, &fiber.sp, &fiber.asan_fake_stack);
  }
}

void fail(const std::string& message, bool wild) {
  Fiber& fiber = self();
  Block& block = *fiber.block;
  block.failed = true;
  block.wild = wild;
  block.failure = format("thread (%u,%u,%u): ", fiber.tid.x, fiber.tid.y, fiber.tid.z) + message;
  void* unused;
  switch_to_scheduler(block, &unused, &fiber.asan_fake_stack);
  __builtin_trap();
}

void run_block(Block& block) {
  block.alive = block.threads;
  block.failed = block.wild = false;
  block.warps_ready = 0;
  block.scheduler_stack = nullptr;
  for (unsigned w = 0; w < block.num_warps; ++w) {
    const unsigned lanes = block.threads - w * 32;
    const uint32_t present = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1;
    block.warps[w].ready = present;
    block.warps[w].exited = ~present;
    block.warps[w].meetings.clear();
    block.warps_ready |= 1u << w;
  }
  for (NamedBarrier& b : block.barriers) b.expected = b.arrived = 0, b.waiting = {};
  for (Warpgroup& g : block.warpgroups) g.arrived = 0, g.waiting = {};
  leave_mbarriers(block);
  block.loads.clear();
  const Dim3 size = block.launch->block;
  for (unsigned t = 0; t < block.threads; ++t) {
    Fiber& f = *block.fibers[t];
    f.block = &block;
    f.thread = t;
    f.tid = {t % size.x, t / size.x % size.y, t / (size.x * size.y)};
    prepare(f, t);
  }
  while (block.alive && !block.failed) {
    if (Fiber* next = pick(block)) {
      switch_to_fiber(&block.scheduler_sp, &block.scheduler_fake_stack, *next);
    } else if (!land_one_load(block)) {
      if (block.failed) break;
      block.failed = true;
      block.failure = deadlock(block);
    }
  }
  if (!block.failed && !block.loads.empty()) {
    block.failed = true;
    block.failure = format("the block ended while %zu loads into its shared memory were under way, the first issued at %s", block.loads.size(),
                           describe(block.loads[0].site).c_str());
  }
  thread_state.fiber = nullptr;
}

}  // namespace gradus::shim
