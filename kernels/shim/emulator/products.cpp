// wgmma: a warpgroup's matrix products, computed where they must be ready.
//
// Issuing only notes the product and takes the accumulator out of the thread's registers (they are poison until the wait that covers its last
// product). Operands in shared memory are read at that wait in forward order, and at the commit in reverse: both are legal, so a kernel whose
// result differs reads a buffer that is not filled yet, or fills one that is still read.
#include "gradus_shim/ptx_sm90.h"
#include "worker.h"

namespace gradus::shim {

namespace {

constexpr int kRows = 64, kDepth = 16, kMaxWidth = 256;

inline float widen(uint16_t bits) {
  const uint32_t u = uint32_t{bits} << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}

struct Operand {
  uint32_t start, leading, stride;
  int swizzle;  // 0 none, 1 128, 2 64, 3 32 bytes
  explicit Operand(uint64_t desc)
      : start(static_cast<uint32_t>(desc & 0x3fff) << 4), leading(static_cast<uint32_t>(desc >> 16 & 0x3fff) << 4),
        stride(static_cast<uint32_t>(desc >> 32 & 0x3fff) << 4), swizzle(static_cast<int>(desc >> 62)) {}
  int span() const {  // bytes of a swizzled row
    static constexpr int spans[4] = {16, 128, 64, 32};
    return spans[swizzle];
  }
  // Address of element (row of M or N, position along K).
  uint32_t k_major(int row, int k) const {
    const uint32_t in_group = static_cast<uint32_t>(row % 8 * span());
    const uint32_t along = swizzle == 0 ? static_cast<uint32_t>(k / 8) * leading + static_cast<uint32_t>(k % 8 * 2) : static_cast<uint32_t>(k * 2);
    return permuted(start + static_cast<uint32_t>(row / 8) * stride + in_group + along);
  }
  uint32_t mn_major(int row, int k) const {
    const int atom = span() / 2;  // elements along MN
    if (swizzle == 0) {
      return start + static_cast<uint32_t>(row / 8) * stride + static_cast<uint32_t>(k / 8) * leading + static_cast<uint32_t>(k % 8 * 16 + row % 8 * 2);
    }
    return permuted(start + static_cast<uint32_t>(row / atom) * leading + static_cast<uint32_t>(k / 8) * stride + static_cast<uint32_t>(k % 8 * span()) +
                    static_cast<uint32_t>(row % atom * 2));
  }
  uint32_t permuted(uint32_t at) const {
    static constexpr uint32_t masks[4] = {0, 7, 3, 1};
    return at ^ (at >> 7 & masks[swizzle]) << 4;
  }
};

// Elements [rows][16] of shared memory as floats; `out(row, k)` says where. Reads 8 contiguous elements at a time along the major direction.
template <class Put>
void gather(const Block& block, const Operand& op, bool mn_major, int rows, const char* name, Put put) {
  const auto read = [&](uint32_t at, uint16_t (&chunk)[8]) {
    if (size_t{at} + 16 > block.dynamic_bytes) {
      fail(format("wgmma: operand %s is read at %u, past the %zu bytes of dynamic shared memory", name, at, block.dynamic_bytes), true);
    }
    std::memcpy(chunk, block.dynamic + at, 16);
  };
  uint16_t chunk[8];
  if (mn_major) {
    for (int k = 0; k < kDepth; ++k)
      for (int row = 0; row < rows; row += 8) {
        read(op.mn_major(row, k), chunk);
        for (int i = 0; i < 8; ++i) put(row + i, k) = widen(chunk[i]);
      }
  } else {
    for (int row = 0; row < rows; ++row)
      for (int k = 0; k < kDepth; k += 8) {
        read(op.k_major(row, k), chunk);
        for (int i = 0; i < 8; ++i) put(row, k + i) = widen(chunk[i]);
      }
  }
}

typedef float Row16 __attribute__((vector_size(64), aligned(4)));

// acc[64][n] += a[64][16] b[16][n]; rows of acc are kMaxWidth apart.
inline __attribute__((always_inline)) void multiply_in(float* acc, const float* a, const float* b, int n) {
  int c = 0;
  for (; c + 16 <= n; c += 16) {
    for (int r = 0; r < kRows; r += 4) {
      Row16 sum[4];
      for (int i = 0; i < 4; ++i) std::memcpy(&sum[i], acc + (r + i) * kMaxWidth + c, sizeof(Row16));
      for (int k = 0; k < kDepth; ++k) {
        Row16 row;
        std::memcpy(&row, b + k * n + c, sizeof(Row16));
        for (int i = 0; i < 4; ++i) sum[i] += a[(r + i) * kDepth + k] * row;
      }
      for (int i = 0; i < 4; ++i) std::memcpy(acc + (r + i) * kMaxWidth + c, &sum[i], sizeof(Row16));
    }
  }
  for (; c < n; ++c)
    for (int r = 0; r < kRows; ++r)
      for (int k = 0; k < kDepth; ++k) acc[r * kMaxWidth + c] += a[r * kDepth + k] * b[k * n + c];
}
__attribute__((target("avx512f,fma"))) void multiply_avx512(float* acc, const float* a, const float* b, int n) { multiply_in(acc, a, b, n); }
__attribute__((target("avx2,fma"))) void multiply_avx2(float* acc, const float* a, const float* b, int n) { multiply_in(acc, a, b, n); }
void multiply_any(float* acc, const float* a, const float* b, int n) { multiply_in(acc, a, b, n); }
using Multiply = void (*)(float*, const float*, const float*, int);
const Multiply multiply = [] {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return multiply_avx512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? multiply_avx2 : multiply_any;
}();

Fiber& thread_of(Block& block, unsigned warpgroup, int t) { return *block.fibers[warpgroup * 128 + static_cast<unsigned>(t)]; }

void compute(Block& block, unsigned warpgroup, size_t op_index, const MatrixOp& op) {
  std::vector<float> scratch(kRows * kDepth + kDepth * kMaxWidth);
  float* const a = scratch.data();
  float* const b = a + kRows * kDepth;
  if (op.a_in_registers) {
    for (int t = 0; t < 128; ++t) {
      const MatrixOp& mine = thread_of(block, warpgroup, t).products.items[op_index];
      const int row = t / 32 * 16 + t % 32 / 4, q = t % 4;
      for (int i = 0; i < 4; ++i) {
        float* const at = a + (row + 8 * (i & 1)) * kDepth + 2 * q + 8 * (i >> 1);
        at[0] = widen(static_cast<uint16_t>(mine.a[i])), at[1] = widen(static_cast<uint16_t>(mine.a[i] >> 16));
      }
    }
  } else {
    gather(block, Operand(op.desc_a), false, kRows, "A", [&](int r, int k) -> float& { return a[r * kDepth + k]; });
  }
  gather(block, Operand(op.desc_b), op.trans_b, op.n, "B", [&](int r, int k) -> float& { return b[k * op.n + r]; });
  float* const acc = block.warpgroups[warpgroup].accumulators[op.accumulator].data();
  if (!op.scale_d) {
    for (int r = 0; r < kRows; ++r) std::memset(acc + r * kMaxWidth, 0, sizeof(float) * static_cast<size_t>(op.n));
  }
  multiply(acc, a, b, op.n);
}

// The place of a thread's d[4j + 2h + c] in the warpgroup's accumulator.
int place_of(unsigned thread, int index) {
  const int t = static_cast<int>(thread % 128), j = index / 4, h = index / 2 % 2, c = index % 2;
  return (t / 32 * 16 + t % 32 / 4 + 8 * h) * kMaxWidth + 8 * j + 2 * (t % 4) + c;
}

// Items in the groups older than the `newest` ones.
size_t retired_items(const Groups<MatrixOp>& products, unsigned newest) {
  size_t items = 0;
  for (size_t g = 0; g + newest < products.sizes.size(); ++g) items += products.sizes[g];
  return items;
}

// Computes items `from .. to` of every thread of the warpgroup, who must have issued the same.
void compute_items(Block& block, unsigned warpgroup, size_t from, size_t to) {
  const Groups<MatrixOp>& first = thread_of(block, warpgroup, 0).products;
  for (int t = 1; t < 128; ++t) {
    const Groups<MatrixOp>& other = thread_of(block, warpgroup, t).products;
    bool same = other.items.size() >= to && first.items.size() >= to;
    for (size_t i = from; same && i < to; ++i) same = first.items[i] == other.items[i];
    if (!same) fail(format("wgmma: thread %d of the warpgroup issued other products than thread 0", t));
  }
  for (size_t i = from; i < to; ++i) compute(block, warpgroup, i, first.items[i]);
}

}  // namespace

void matrix_product(float* d, int n, const uint32_t* a, uint64_t desc_a, uint64_t desc_b, bool trans_b, bool scale_d, Site site) {
  require_capability(90, "wgmma");
  Fiber& fiber = self();
  Block& block = *fiber.block;
  const unsigned warpgroup = fiber.thread >> 7;
  if ((warpgroup + 1) * 128 > block.threads) fail(format("wgmma at %s: the block has no whole warpgroup here", describe(site).c_str()));
  int slot = -1;
  for (int i = 0; i < 8 && slot < 0; ++i) {
    if (fiber.accumulators[i].d == d) slot = i;
  }
  if (slot < 0) {
    for (int i = 0; i < 8 && slot < 0; ++i) {
      if (!fiber.accumulators[i].d) slot = i;
    }
    if (slot < 0) fail(format("wgmma at %s: more than 8 accumulators are in use at once", describe(site).c_str()));
    fiber.accumulators[slot] = {d, static_cast<int16_t>(n)};
    std::vector<float>& all = block.warpgroups[warpgroup].accumulators[slot];
    if (all.empty()) all.resize(kRows * kMaxWidth);
    for (int i = 0; i < n / 2; ++i) all[place_of(fiber.thread, i)] = d[i];
    std::memset(d, kPoison, sizeof(float) * static_cast<size_t>(n / 2));
  }
  if (fiber.accumulators[slot].n != n) fail(format("wgmma at %s: one accumulator is used with two widths", describe(site).c_str()));
  MatrixOp op{};
  op.desc_a = desc_a, op.desc_b = desc_b, op.n = static_cast<int16_t>(n);
  if (a) std::memcpy(op.a, a, sizeof op.a);
  op.a_in_registers = a != nullptr, op.trans_b = trans_b, op.scale_d = scale_d, op.accumulator = static_cast<int8_t>(slot);
  fiber.products.items.push_back(op);
  ++fiber.products.open;
}

void matrix_commit(Site site) {
  Fiber& fiber = self();
  fiber.products.sizes.push_back(fiber.products.open);
  fiber.products.open = 0;
  if (!fiber.block->reverse) return;
  meet_warpgroup(
      "wgmma_commit",
      [](Block& block, unsigned warpgroup, void*) {
        const Groups<MatrixOp>& products = thread_of(block, warpgroup, 0).products;
        const size_t all = retired_items(products, 0);
        compute_items(block, warpgroup, all - products.sizes.back(), all);
      },
      nullptr, site);
}

void matrix_wait(unsigned newest, Site site) {
  Fiber& fiber = self();
  unsigned keep = newest;
  meet_warpgroup(
      "wgmma_wait",
      [](Block& block, unsigned warpgroup, void* keep) {
        if (block.reverse) return;
        const Groups<MatrixOp>& products = thread_of(block, warpgroup, 0).products;
        compute_items(block, warpgroup, 0, retired_items(products, *static_cast<unsigned*>(keep)));
      },
      &keep, site);
  Groups<MatrixOp>& products = fiber.products;
  const size_t items = retired_items(products, newest);
  products.items.erase(products.items.begin(), products.items.begin() + static_cast<long>(items));
  if (products.sizes.size() > newest) {
    products.sizes.erase(products.sizes.begin(), products.sizes.end() - newest);
  }
  for (int slot = 0; slot < 8; ++slot) {
    LiveAccumulator& live = fiber.accumulators[slot];
    bool pending = false;
    for (const MatrixOp& op : products.items) pending = pending || op.accumulator == slot;
    if (!live.d || pending) continue;
    const std::vector<float>& all = fiber.block->warpgroups[fiber.thread >> 7].accumulators[slot];
    for (int i = 0; i < live.n / 2; ++i) live.d[i] = all[place_of(fiber.thread, i)];
    live.d = nullptr;
  }
}

}  // namespace gradus::shim
