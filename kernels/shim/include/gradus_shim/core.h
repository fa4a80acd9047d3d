// The emulator's core: one block of threads at a time on one OS thread, every CUDA thread a fiber that runs until it has to wait.
//
// Which fiber runs next is fixed: the first ready one of the first warp that has any (forward), or the last of the last (reverse). A result
// that differs between the two orders is a race. When nobody is ready, one transfer of the tensor memory accelerator lands; when none is under
// way either, the block is deadlocked, and every waiting thread is named.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#if !defined(__x86_64__)
#error "the emulator switches fibers with x86-64 instructions; other machines need their own switch in fiber.cpp"
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GRADUS_SHIM_ASAN 1
#else
#define GRADUS_SHIM_ASAN 0
#endif

namespace gradus::shim {

// Where in the kernel's source a primitive was called.
struct Site {
  const char* file = "";
  int line = 0;
};
#define GRADUS_SITE                                             \
  const char *gradus_site_file = __builtin_FILE(), int gradus_site_line = __builtin_LINE()
#define GRADUS_HERE (::gradus::shim::Site{gradus_site_file, gradus_site_line})

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};

// Shared memory that nobody wrote: NaN as f32, bf16, f16 and e4m3, -1 as an integer.
constexpr unsigned char kPoison = 0xff;
constexpr int kMaxThreads = 1024;
constexpr int kMaxWarps = 32;

// A kernel of the emulated module: registered at load time by GRADUS_KERNEL.
struct Kernel {
  const char* symbol;
  const char* file;
  size_t params_size;
  unsigned max_threads;
  unsigned min_blocks;
  void (*body)(const void* params);
  Kernel(const char* symbol, const char* file, size_t params_size, unsigned max_threads, unsigned min_blocks, void (*body)(const void*));
};
const Kernel* find_kernel(const char* symbol);
const std::vector<const Kernel*>& kernels();

struct Fiber;
struct Block;

// A set of threads of the block, a word per warp.
struct ThreadSet {
  uint32_t lanes[kMaxWarps] = {};
  void add(unsigned thread) { lanes[thread >> 5] |= 1u << (thread & 31); }
};

// cp.async of one thread: landed by the wait that covers its group.
struct CopyAsync {
  void* to;
  const void* from;
  int bytes;
};
// A store of the tensor memory accelerator: shared memory is read by the wait that covers its group.
struct PendingStore {
  const void* map;
  const void* smem;
  int at[5];
  bool committed;
};
template <class T>
struct Groups {
  std::vector<T> items;         // oldest first
  std::vector<uint32_t> sizes;  // of committed groups, oldest first
  uint32_t open = 0;            // items of the group not committed yet
  void clear() { items.clear(), sizes.clear(), open = 0; }
};
// wgmma as one thread issued it; the whole warpgroup must have issued the same.
struct MatrixOp {
  uint64_t desc_a, desc_b;
  uint32_t a[4];
  int16_t n;
  int8_t a_in_registers, trans_b, scale_d, accumulator;
  bool operator==(const MatrixOp& o) const {
    return desc_b == o.desc_b && n == o.n && a_in_registers == o.a_in_registers && trans_b == o.trans_b && scale_d == o.scale_d &&
           accumulator == o.accumulator && (a_in_registers || desc_a == o.desc_a);
  }
};
struct LiveAccumulator {
  float* d;  // null when free
  int16_t n;
};

struct Fiber {
  void* sp = nullptr;
  char* stack = nullptr;  // lowest usable byte
  size_t stack_bytes = 0;
  void* asan_fake_stack = nullptr;
  Block* block = nullptr;
  Dim3 tid{0, 0, 0};
  unsigned thread = 0;
  bool done = false;
  // What it waits for, for the report of a deadlock.
  const char* waits_in = nullptr;
  Site site;
  const void* waits_on = nullptr;
  unsigned detail = 0;
  void* collective_arg = nullptr;
  Groups<CopyAsync> copies;
  Groups<PendingStore> stores;
  Groups<MatrixOp> products;
  LiveAccumulator accumulators[8] = {};
};

// A rendezvous of some lanes of a warp.
struct WarpMeeting {
  uint32_t mask = 0, arrived = 0;
  const char* what = nullptr;
  void (*act)(Fiber* const lanes[32], uint32_t arrived, uint32_t mask) = nullptr;
};
struct Warp {
  uint32_t ready = 0, exited = 0;  // lanes past the block's size count as exited
  std::vector<WarpMeeting> meetings;
};
struct NamedBarrier {
  unsigned expected = 0, arrived = 0;
  ThreadSet waiting;
  Site site[kMaxWarps];
};
struct Mbarrier {
  const uint64_t* at = nullptr;
  uint32_t count = 0, pending = 0, phase = 0;
  int64_t bytes = 0;  // announced and not landed
  ThreadSet waiting;
  bool any_waiting = false;
};
struct PendingLoad {
  const void* map;  // null: contiguous bytes
  const void* from;
  void* smem;
  uint64_t bytes;
  int at[5];
  uint64_t* bar;
  Site site;
};
struct Warpgroup {
  unsigned arrived = 0;
  ThreadSet waiting;
  std::vector<float> accumulators[8];
};

struct Launch {
  const Kernel* kernel = nullptr;
  Dim3 grid, block;
  size_t dynamic_bytes = 0;
  const void* params = nullptr;
  bool reverse = false;
  int capability = 90;
};

struct Block {
  const Launch* launch = nullptr;
  Dim3 bid{0, 0, 0};
  unsigned threads = 0, alive = 0, num_warps = 0;
  uint32_t warps_ready = 0;
  bool reverse = false;
  char* dynamic = nullptr;
  size_t dynamic_bytes = 0;
  Warp warps[kMaxWarps];
  NamedBarrier barriers[16];
  std::vector<Mbarrier> mbarriers;
  std::vector<PendingLoad> loads;
  Warpgroup warpgroups[8];
  std::vector<std::unique_ptr<Fiber>> fibers;
  void* scheduler_sp = nullptr;
  void* scheduler_fake_stack = nullptr;
  const void* scheduler_stack = nullptr;
  size_t scheduler_stack_bytes = 0;
  std::string failure;
  bool failed = false;
  bool wild = false;  // an address was wrong, rather than the protocol
};

// The fiber that runs on this OS thread. The only thread-local of the library besides the kernels' __shared__ variables, which lie in the same
// segment and are poisoned around it.
struct ThreadState {
  Fiber* fiber;
};
extern thread_local ThreadState thread_state;
inline Fiber& self() { return *thread_state.fiber; }

// Lets other fibers run until someone wakes this one. `what` and `site` are for the report.
void wait_here(const char* what, Site site, const void* on = nullptr, unsigned detail = 0);
void wake(Block& block, unsigned warp, uint32_t lanes);
void wake_all(Block& block, ThreadSet& set);
// Ends the block with a report in the name of the running thread.
[[noreturn]] void fail(const std::string& message, bool wild = false);
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
std::string describe(const Site& site);

// All lanes of `mask` that have not exited meet; the last to come acts for all, on the arguments each brought.
void meet(uint32_t mask, const char* what, void* arg, void (*act)(Fiber* const lanes[32], uint32_t arrived, uint32_t mask), Site site);
void sync_threads(Site site);
void barrier_sync(int id, unsigned threads, bool wait, Site site);
// All 128 threads of the warpgroup meet; the last one runs `act`.
void meet_warpgroup(const char* what, void (*act)(Block&, unsigned warpgroup, void* arg), void* arg, Site site);

// Hooks of what else can happen in a block.
bool land_one_load(Block& block);
void leave_mbarriers(Block& block);
std::string describe_mbarriers(const Block& block);
void check_exit(Fiber& fiber);
void require_capability(int capability, const char* what);
// Fails unless the bytes lie in an allocation of the emulated device (when a driver has told where those are).
void check_global(const void* p, size_t bytes, const char* what);
extern bool (*global_range_known)(const void* p, size_t bytes);

struct Outcome {
  bool failed = false, wild = false;
  std::string message;
};
// Runs every block, on `threads` OS threads (0: GRADUS_SHIM_THREADS, else all cores).
Outcome run(const Launch& launch, int threads = 0);

}  // namespace gradus::shim
