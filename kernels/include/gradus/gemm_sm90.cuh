// The tensor-core product of Hopper: tiles of A[M, K] x B[N, K]^T (+ A2[M, R] x B2[N, R]^T), accumulated in f32.
//
// One block an SM, for as long as there are tiles. The first warpgroup loads: one thread asks the tensor memory accelerator for boxes
// of 64 columns of K, 128 bytes a row, swizzled as wgmma reads them, and runs ahead across the ends of tiles. The others multiply, 64
// rows each:
//
//     loads     [A kM x 64 | B kN x 64] x kStages, full[], empty[]
//     group 0   rows 0 .. kM / 2 - 1 of the tile, all kN columns, 64 rows an instruction
//     group 1   the rest
//
// Why 256x192. Clocks of a step of 64 columns, at 2,048 multiply-adds a clock, and bytes that it needs:
//
//     tile      clocks   from the second cache   shared memory, filled + read by wgmma
//     128x256   1,024    48.0 B/clock            128 B/clock of 128
//     256x192   1,536    37.3 B/clock            123 B/clock
//     128x128     512    64.0 B/clock            160 B/clock
//
// 132 SMs at 48 B a clock ask the second cache for 10 TB/s at 1.6 GHz; 37.3 B are 7.9 TB/s. Pairs of blocks that share B (multicast)
// would need 32 B at 128x256, and a protocol between blocks; 192 accumulators a thread come without one. (192x256 in three groups reads
// as much as 256x192, but 512 threads leave ptxas 128 registers, and m64n256 needs 154.)
//
// **Overlap.** The second group starts two steps of K after the first and stays behind: while one is in its epilogue the other has the
// tensor cores to itself, and the first comes back to steps that have long arrived. Of the four stages two cover the distance, two the
// latency of loads (2 x 1,536 clocks).
//
// **Determinism.** An element is one chain of 16-column steps over K, then over R, zero-filled to 64. It does not depend on M, on the
// tile or on the place in it.
#pragma once
#include "gradus/cuda.cuh"
#include "gradus/ptx.cuh"
#include "gradus/ptx_sm90.cuh"

namespace gradus {

// Groups multiplying.
constexpr int kHopperGroups = 2;
constexpr int kHopperThreads = 128 * (kHopperGroups + 1);

// A group has `kParts` times 64 rows.
template <int kParts_, int kN_>
struct HopperTile {
  static constexpr int kParts = kParts_;
  static constexpr int kM = kHopperGroups * kParts * 64;
  static constexpr int kN = kN_;
  static constexpr int kK = 64;
  static constexpr int kPartBytesA = 64 * kK * 2;
  static constexpr int kBytesA = kHopperGroups * kParts * kPartBytesA;
  static constexpr int kStageBytes = kBytesA + kN * kK * 2;
  // 227 KB a block, less the barriers.
  static constexpr int kMostStages = (232448 - 256) / kStageBytes;
  static constexpr int kStages = kMostStages < 8 ? kMostStages : 8;
  static constexpr int kSmemBytes = kStages * kStageBytes + kStages * 16;
  static_assert(kStageBytes % 1024 == 0 && kBytesA % 1024 == 0, "the swizzle's pattern is 1024 bytes");
  static_assert(kM <= 256 && kN <= 256, "a box of a tensor map");
};

// Accumulators of a thread: [part][4 j + 2 h + c].
template <class Tile>
using HopperAcc = float[Tile::kParts][Tile::kN / 2];

// Registers a thread, of 65,536: 3 x 128 x 168 at the start, then 128 x 24 + 2 x 128 x 240.
constexpr int kHopperLoadRegisters = 24;
constexpr int kHopperMultiplyRegisters = 240;

// The ring of stages, as each thread that uses it sees it.
template <class Tile>
struct HopperRing {
  unsigned char* smem;
  uint64_t* full;
  uint64_t* empty;
  int stage;
  uint32_t parity;

  // Called by every thread of the block, which then all see the barriers.
  GRADUS_DEVICE explicit HopperRing(unsigned char* memory)
      : smem(memory), full(reinterpret_cast<uint64_t*>(memory + Tile::kStages * Tile::kStageBytes)), empty(full + Tile::kStages), stage(0), parity(0) {
    if (threadIdx.x == 0) {
      for (int s = 0; s < Tile::kStages; s++) {
        mbarrier_init(full + s, 1);
        mbarrier_init(empty + s, kHopperGroups * 4);  // a lane of each warp
      }
      mbarrier_init_fence();
    }
    __syncthreads();
  }
  GRADUS_DEVICE void advance() {
    stage++;
    if (stage == Tile::kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// Steps of K that a tile takes; `first` and `second` are the pairs' columns.
GRADUS_DEVICE uint32_t hopper_steps(uint32_t first, uint32_t second) { return (first + 63) / 64 + (second + 63) / 64; }

// Loads `columns` columns of a pair of operands, from rows `row` of A and `col` of B on. One thread.
//
// * `second`: where the second half of the tile's rows of B begins, which then are two boxes of kN / 2; 0: one box of kN
template <class Tile>
GRADUS_DEVICE void hopper_load(HopperRing<Tile>& ring, const TensorMap* a, const TensorMap* b, uint32_t columns, uint32_t row, uint32_t col,
                               uint32_t second = 0) {
  for (uint32_t k = 0; k < columns; k += Tile::kK) {
    mbarrier_wait(ring.empty + ring.stage, ring.parity ^ 1);
    unsigned char* const to = ring.smem + ring.stage * Tile::kStageBytes;
    uint64_t* const bar = ring.full + ring.stage;
    mbarrier_arrive_expect_tx(bar, Tile::kStageBytes);
    tma_load_2d(to, a, static_cast<int>(k), static_cast<int>(row), bar);
    tma_load_2d(to + Tile::kBytesA, b, static_cast<int>(k), static_cast<int>(col), bar);
    if (second != 0) tma_load_2d(to + Tile::kBytesA + Tile::kN * Tile::kK, b, static_cast<int>(k), static_cast<int>(second), bar);
    ring.advance();
  }
}

// The groups' distance: the second starts when the first has two steps behind it. Once, before the first tile.
GRADUS_DEVICE void hopper_take_turn(int group) {
  if (group > 0) named_barrier_sync(1, 256);
}

// acc = the next `steps` (at least 1) steps of the ring, for the rows of `group`. A whole warpgroup.
//
// * `first`: whether this is the group's first tile, at which group 0 lets group 1 start
//
// Thread t of the group, w = t / 32, g = t % 32 / 4, q = t % 4: acc[part][4 j + 2 h + c] is row 64 (kParts group + part) + 16 w + g + 8 h,
// column 8 j + 2 q + c.
template <class Tile>
GRADUS_DEVICE void hopper_multiply(HopperRing<Tile>& ring, uint32_t steps, int group, bool first, HopperAcc<Tile>& acc) {
  const uint32_t tell = first && group == 0 ? min(2u, steps - 1) : ~0u;
  const bool releases = lane_id() == 0;
  int before = 0;
  for (uint32_t step = 0; step < steps; step++) {
    mbarrier_wait(ring.full + ring.stage, ring.parity);
    const unsigned char* const at = ring.smem + ring.stage * Tile::kStageBytes;
    const uint64_t a = wgmma_desc_k128(at + group * Tile::kParts * Tile::kPartBytesA);
    const uint64_t b = wgmma_desc_k128(at + Tile::kBytesA);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; k++) {
      // 16 columns are 32 bytes, 2 in the descriptor's unit.
#pragma unroll
      for (int part = 0; part < Tile::kParts; part++) {
        wgmma_m64k16<Tile::kN>(acc[part], a + part * (Tile::kPartBytesA / 16) + k * 2, b + k * 2, k > 0 || step != 0);
      }
    }
    wgmma_commit();
    // This step stays in flight; the one before it has been read.
    wgmma_wait<1>();
    if (releases && step != 0) mbarrier_arrive(ring.empty + before);
    if (step == tell) named_barrier_arrive(1, 256);
    before = ring.stage;
    ring.advance();
  }
  wgmma_wait<0>();
#pragma unroll
  for (int part = 0; part < Tile::kParts; part++) fence_registers(acc[part]);  // nothing reads them before the wait
  if (releases) mbarrier_arrive(ring.empty + before);
}

// The order in which tiles are given to blocks: bands of rows of tiles, a band column by column, so that the blocks that run together
// share both operands in the second cache: 8 x 256 rows of 4096 columns of K are 17 MB of its 50.
struct HopperPlace {
  uint32_t row;
  uint32_t col;
};
GRADUS_DEVICE HopperPlace hopper_place(uint32_t tile, uint32_t rows, uint32_t cols) {
  constexpr uint32_t kBand = 8;
  const uint32_t band = tile / (kBand * cols);
  const uint32_t first = band * kBand;
  const uint32_t height = min(kBand, rows - first);
  const uint32_t in_band = tile - first * cols;
  return {first + in_band % height, in_band / height};
}

}  // namespace gradus
