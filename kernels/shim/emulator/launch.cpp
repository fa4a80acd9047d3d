// A launch: blocks handed to OS threads, their memory, and the registry of kernels.
#include <link.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

#include "worker.h"
#if GRADUS_SHIM_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace gradus::shim {

namespace {

std::vector<const Kernel*>& registry() {
  static auto* all = new std::vector<const Kernel*>;
  return *all;
}

struct Segment {
  char* begin = nullptr;
  size_t bytes = 0;
};

// This thread's copy of the library's thread-local segment: the kernels' __shared__ variables, and `thread_state`.
Segment shared_segment() {
  Segment found;
  thread_state.fiber = nullptr;  // makes the loader allocate it
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        char* const mine = reinterpret_cast<char*>(&thread_state);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          char* const at = static_cast<char*>(info->dlpi_tls_data);
          if (info->dlpi_phdr[i].p_type == PT_TLS && at && mine >= at && mine < at + info->dlpi_phdr[i].p_memsz) {
            *static_cast<Segment*>(out) = {at, info->dlpi_phdr[i].p_memsz};
            return 1;
          }
        }
        return 0;
      },
      &found);
  return found;
}

void poison_static_shared(const Segment& segment) {
  const ThreadState kept = thread_state;
  std::memset(segment.begin, kPoison, segment.bytes);
  thread_state = kept;
}

constexpr size_t kFence = 1024;

// One OS thread's block, kept between launches.
struct Worker {
  Block block;
  char* memory = nullptr;
  size_t capacity = 0;
  void size_for(const Launch& launch) {
    block.launch = &launch;
    block.threads = static_cast<unsigned>(launch.block.count());
    block.num_warps = (block.threads + 31) / 32;
    block.reverse = launch.reverse;
    while (block.fibers.size() < block.threads) block.fibers.push_back(std::make_unique<Fiber>());
    const size_t want = (launch.dynamic_bytes + 1023) / 1024 * 1024 + 2 * kFence;
#if GRADUS_SHIM_ASAN
    if (memory) ASAN_UNPOISON_MEMORY_REGION(memory, capacity);
#endif
    if (capacity < want) {
      std::free(memory);
      memory = static_cast<char*>(std::aligned_alloc(1024, want));
      capacity = want;
    }
    block.dynamic = memory + kFence;
    block.dynamic_bytes = launch.dynamic_bytes;
    std::memset(memory, kPoison, capacity);
#if GRADUS_SHIM_ASAN
    ASAN_POISON_MEMORY_REGION(memory, kFence);
    ASAN_POISON_MEMORY_REGION(block.dynamic + block.dynamic_bytes, capacity - kFence - block.dynamic_bytes);
#endif
  }
  void fill() {
    std::memset(block.dynamic, kPoison, block.dynamic_bytes);
  }
  // Bytes around dynamic shared memory that a kernel wrote to.
  bool fence_broken() const {
#if !GRADUS_SHIM_ASAN
    for (size_t i = 0; i < kFence; ++i) {
      if (static_cast<unsigned char>(memory[i]) != kPoison) return true;
    }
    for (const char* p = block.dynamic + block.dynamic_bytes; p < memory + capacity; ++p) {
      if (static_cast<unsigned char>(*p) != kPoison) return true;
    }
#endif
    return false;
  }
};

struct Job {
  const Launch* launch;
  uint64_t total;
  std::atomic<uint64_t> next{0};
  std::atomic<int> helpers{0};
  std::mutex lock;
  Outcome outcome;
  std::atomic<bool> stop{false};
};

std::mutex idle_lock;
std::vector<Worker*>& idle_workers() {
  static auto* all = new std::vector<Worker*>;
  return *all;
}

void work(Job& job) {
  Worker* worker = nullptr;
  {
    std::lock_guard hold(idle_lock);
    if (!idle_workers().empty()) worker = idle_workers().back(), idle_workers().pop_back();
  }
  if (!worker) worker = new Worker;
  const Segment segment = shared_segment();
  worker->size_for(*job.launch);
  Block& block = worker->block;
  const Dim3 grid = job.launch->grid;
  while (!job.stop.load(std::memory_order_relaxed)) {
    const uint64_t i = job.next.fetch_add(1);
    if (i >= job.total) break;
    const uint64_t b = job.launch->reverse ? job.total - 1 - i : i;
    block.bid = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y), static_cast<unsigned>(b / (uint64_t{grid.x} * grid.y))};
    worker->fill();
    poison_static_shared(segment);
    run_block(block);
    if (!block.failed && worker->fence_broken()) {
      block.failed = block.wild = true;
      block.failure = format("wrote outside its %zu bytes of dynamic shared memory", block.dynamic_bytes);
    }
    if (block.failed) {
      std::lock_guard hold(job.lock);
      if (!job.outcome.failed) {
        job.outcome.failed = true;
        job.outcome.wild = block.wild;
        job.outcome.message = format("gradus-shim: kernel %s, block (%u,%u,%u), ", job.launch->kernel->symbol, block.bid.x, block.bid.y, block.bid.z) +
                              block.failure;
      }
      job.stop = true;
    }
  }
  std::lock_guard hold(idle_lock);
  idle_workers().push_back(worker);
}

// OS threads that help with blocks; they live as long as the process.
struct Pool {
  std::mutex lock;
  std::condition_variable wanted, finished;
  std::deque<Job*> jobs;
  int threads = 0;
  void grow(int to) {
    for (; threads < to; ++threads) {
      std::thread([this] { serve(); }).detach();
    }
  }
  [[noreturn]] void serve() {
    std::unique_lock hold(lock);
    for (;;) {
      wanted.wait(hold, [this] { return !jobs.empty(); });
      Job* job = jobs.front();
      jobs.pop_front();
      hold.unlock();
      work(*job);
      hold.lock();
      job->helpers.fetch_sub(1);
      finished.notify_all();
    }
  }
};
Pool& pool() {
  static auto* one = new Pool;
  return *one;
}

int default_threads() {
  if (const char* text = std::getenv("GRADUS_SHIM_THREADS")) {
    const int n = std::atoi(text);
    if (n > 0) return n;
  }
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return cores > 0 ? cores : 1;
}

}  // namespace

Kernel::Kernel(const char* symbol, const char* file, size_t params_size, unsigned max_threads, unsigned min_blocks, void (*body)(const void*))
    : symbol(symbol), file(file), params_size(params_size), max_threads(max_threads), min_blocks(min_blocks), body(body) {
  if (const Kernel* other = find_kernel(symbol)) {
    std::fprintf(stderr, "gradus-shim: kernel %s is defined twice, in %s and in %s; rename one\n", symbol, other->file, file);
    std::abort();
  }
  registry().push_back(this);
}

const Kernel* find_kernel(const char* symbol) {
  for (const Kernel* k : registry()) {
    if (std::strcmp(k->symbol, symbol) == 0) return k;
  }
  return nullptr;
}

const std::vector<const Kernel*>& kernels() { return registry(); }

bool (*global_range_known)(const void* p, size_t bytes) = nullptr;

void check_global(const void* p, size_t bytes, const char* what) {
  if (global_range_known && bytes && !global_range_known(p, bytes)) {
    fail(format("%s of %zu bytes at %p, which is not (wholly) in one allocation of the device", what, bytes, p), true);
  }
}

void require_capability(int capability, const char* what) {
  const int have = self().block->launch->capability;
  if (have < capability) fail(format("%s needs compute capability %d.%d, the device has %d.%d", what, capability / 10, capability % 10, have / 10, have % 10));
}

Outcome run(const Launch& launch, int threads) {
  Job job{};
  job.launch = &launch;
  job.total = launch.grid.count();
  const int want = threads > 0 ? threads : default_threads();
  const int helpers = static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(want), job.total)) - 1;
  Pool& p = pool();
  if (helpers > 0) {
    {
      std::lock_guard hold(p.lock);
      p.grow(want - 1);
      job.helpers = helpers;
      for (int i = 0; i < helpers; ++i) p.jobs.push_back(&job);
    }
    p.wanted.notify_all();
  }
  work(job);
  if (helpers > 0) {
    std::unique_lock hold(p.lock);
    // Helpers that did not start yet have nothing left to do.
    for (auto it = p.jobs.begin(); it != p.jobs.end();) {
      if (*it == &job) {
        it = p.jobs.erase(it);
        job.helpers.fetch_sub(1);
      } else {
        ++it;
      }
    }
    p.finished.wait(hold, [&] { return job.helpers.load() == 0; });
  }
  return std::move(job.outcome);
}

}  // namespace gradus::shim
