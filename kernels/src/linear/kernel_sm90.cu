// linear on Hopper: out = (x w^T + low low_w^T) * scale + bias, x [M, K] bf16, w [N, K] bf16, sums f32 in tensor cores.
//
// gated: out = f(g) * u, where g and u are the two halves of what linear would give, N each; they are never rounded nor stored.
//
// gradus/gemm_sm90.cuh has the loop over K and the overlap, gradus/linear_sm90.cuh the store. Three tiles, by N alone: 256x192; 128x128
// where 192 would mostly be padding; 128x64 for N <= 64 (an adapter's first product, bound by reading x).
//
// Floors and predictions, and what an H100 SXM took (benches/runs). It has 132 SMs, 2,048 multiply-adds a clock and SM, 790 TFLOP/s attainable.
//
//   16384 x 4096 x 4096, to bf16   550 GFLOP: 0.70 ms; 302 MB: 0.10 ms at 3.0 TB/s, 0.07 ms at 4.6. Bound by arithmetic.
//     1,408 tiles (64 x 22) are 11 rounds of 132: 94 % of the work is not idle or padding. A tile takes 64 x 1,536 = 98,304 clocks; its
//     epilogue, about 2,700 instructions a warp, shows for about 1,100. Predicted 0.79 ms, 690 TFLOP/s; measured with half the rows:
//     0.388 ms, 709 TFLOP/s.
//   16384 x 4096 x 16 (first product of an adapter)   134 MB: 0.045 ms at 3.0 TB/s. 128 blocks keep 192 KB in flight each.
//     Predicted 0.055 ms.
//
// Determinism: an element is one chain of 16-column steps over K, then over R. Nothing depends on M.
#include "gradus/activation.cuh"
#include "gradus/gemm_sm90.cuh"
#include "gradus/linear_sm90.cuh"

using namespace gradus;

using WideTile = HopperTile<2, 192>;
using MiddleTile = HopperTile<1, 128>;
using NarrowTile = HopperTile<1, 64>;
static_assert(kHopperThreads == 384 && WideTile::kSmemBytes == 229440 && MiddleTile::kSmemBytes == 229488 &&
                  NarrowTile::kSmemBytes == 196736,
              "the host launches them so");

// Boxes of the maps: 64 columns; of x and low the tile's rows, of w and low_w its columns.
struct LinearSm90Params {
  TensorMap x;
  TensorMap w;
  TensorMap low;  // not read if linear.r = 0
  TensorMap low_w;
  HopperLinear linear;
};
static_assert(sizeof(LinearSm90Params) == 576 && offsetof(LinearSm90Params, w) == 128 && offsetof(LinearSm90Params, low) == 256 &&
                  offsetof(LinearSm90Params, low_w) == 384 && offsetof(LinearSm90Params, linear) == 512,
              "the host writes this struct");

// How a tile is stored, and how many columns of out it has.
template <HopperStore kStore>
struct Plain {
  static constexpr bool kGated = false;
  template <int kCount>
  GRADUS_DEVICE static void store(const HopperLinear& p, uint32_t row, uint32_t col, const float (&acc)[kCount]) {
    hopper_store<kStore>(p, row, col, acc);
  }
};
template <class F>
struct Gated {
  static constexpr bool kGated = true;
  template <int kCount>
  GRADUS_DEVICE static void store(const HopperLinear& p, uint32_t row, uint32_t col, const float (&acc)[kCount]) {
    hopper_store_gated<F>(p, row, col, acc);
  }
};

template <class Tile, class Out>
GRADUS_DEVICE void linear_tiles(const LinearSm90Params& p, unsigned char* smem) {
  constexpr uint32_t kCols = Out::kGated ? Tile::kN / 2 : Tile::kN;
  HopperRing<Tile> ring(smem);
  const uint32_t rows = ceil_div<uint32_t>(p.linear.m, Tile::kM), cols = ceil_div<uint32_t>(p.linear.n, kCols);
  const int warpgroup = warp_uniform(warpgroup_id());
  if (warpgroup == 0) {
    setmaxnreg_dec<kHopperLoadRegisters>();
    if (threadIdx.x == 0) {
      tma_prefetch(&p.x);
      tma_prefetch(&p.w);
      for (uint32_t tile = blockIdx.x; tile < rows * cols; tile += gridDim.x) {
        const HopperPlace at = hopper_place(tile, rows, cols);
        const uint32_t row = at.row * Tile::kM, col = at.col * kCols, up = Out::kGated ? p.linear.n + col : 0;
        hopper_load(ring, &p.x, &p.w, p.linear.k, row, col, up);
        hopper_load(ring, &p.low, &p.low_w, p.linear.r, row, col, up);
      }
    }
  } else {
    setmaxnreg_inc<kHopperMultiplyRegisters>();
    const int group = warpgroup - 1;
    const uint32_t steps = hopper_steps(p.linear.k, p.linear.r);
    hopper_take_turn(group);
    for (uint32_t tile = blockIdx.x; tile < rows * cols; tile += gridDim.x) {
      const HopperPlace at = hopper_place(tile, rows, cols);
      HopperAcc<Tile> acc;
      hopper_multiply(ring, steps, group, tile == blockIdx.x, acc);
#pragma unroll
      for (int part = 0; part < Tile::kParts; part++) {
        const uint32_t thread = renewed(threadIdx.x % 128);
        const uint32_t own_row = (group * Tile::kParts + part) * 64 + thread / 32 * 16 + thread % 32 / 4;
        Out::store(p.linear, at.row * Tile::kM + own_row, at.col * kCols, acc[part]);
      }
    }
  }
}

#define LINEAR_SM90(name, Tile, ...)                         \
  GRADUS_KERNEL(name, LinearSm90Params, kHopperThreads, 1) { \
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);                \
    linear_tiles<Tile, __VA_ARGS__>(p, smem);                \
  }

LINEAR_SM90(linear_sm90_bf16, WideTile, Plain<HopperStore::kBf16>)
LINEAR_SM90(linear_sm90_f32, WideTile, Plain<HopperStore::kF32>)
LINEAR_SM90(linear_sm90_add_f32, WideTile, Plain<HopperStore::kAddF32>)
LINEAR_SM90(linear_sm90_middle_bf16, MiddleTile, Plain<HopperStore::kBf16>)
LINEAR_SM90(linear_sm90_middle_f32, MiddleTile, Plain<HopperStore::kF32>)
LINEAR_SM90(linear_sm90_middle_add_f32, MiddleTile, Plain<HopperStore::kAddF32>)
LINEAR_SM90(linear_sm90_narrow_bf16, NarrowTile, Plain<HopperStore::kBf16>)
LINEAR_SM90(linear_sm90_narrow_f32, NarrowTile, Plain<HopperStore::kF32>)
LINEAR_SM90(linear_sm90_narrow_add_f32, NarrowTile, Plain<HopperStore::kAddF32>)
LINEAR_SM90(linear_sm90_gated_silu, WideTile, Gated<Silu>)
// The error function's polynomial wants registers that 192 accumulators do not leave.
LINEAR_SM90(linear_sm90_gated_gelu, MiddleTile, Gated<Gelu>)
LINEAR_SM90(linear_sm90_gated_gelu_tanh, WideTile, Gated<GeluTanh>)
