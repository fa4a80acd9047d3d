// linear: out = (x w^T + low low_w^T) * scale + bias, x [M, K] bf16, w [N, K] bf16, sums f32 in tensor cores.
//
// A block owns a tile of the output, 128x128 (four warps of 64x64) or, for N <= 64 (an adapter's first product),
// 64x64 (four warps of 32x32); see gradus/gemm_sm80.cuh for the loop over K, gradus/gemm_epilogue.cuh for the store.
// The host picks the tile by N alone, and both give the same bits.
//
// Determinism: an element is one chain of 16-column steps over K, then over R. Nothing depends on M.
//
// Floors for [16384, 4096] x [4096, 4096]^T to bf16 on A100 (312 TFLOP/s dense bf16, 2.0 TB/s):
//   550 GFLOP: 1.76 ms; 302 MB (x, w and out once): 0.15 ms. Bound by arithmetic.
//   Shared memory moves 48 KiB per 128x128x32 step, 384 clocks of the 512 that the tensor cores take.
//   Predicted 2.2 ms (80 % of the arithmetic floor); not measured.
// Floors of an adapter's first product, [16384, 4096] x [16, 4096]^T: 134 MB, 0.067 ms; 2.1 GFLOP. Bound by reading x;
//   predicted 0.09 ms, not measured.
#include "gradus/gemm_epilogue.cuh"
#include "gradus/gemm_sm80.cuh"

using namespace gradus;

// 48 KiB: two blocks an SM on every GPU from sm_80 on, without asking for more shared memory than launches get.
using WideTile = GemmTile<128, 128, 64, 64, 3>;
using NarrowTile = GemmTile<64, 64, 32, 32, 4>;
static_assert(WideTile::kThreads == 128 && WideTile::kSmemBytes == 49152, "the host launches it so");
static_assert(NarrowTile::kThreads == 128 && NarrowTile::kSmemBytes == 32768, "the host launches it so");

template <class Tile, LinearStore kStore>
__device__ __forceinline__ void linear_block(const LinearParams& p, unsigned char* smem) {
    const TilePlace tile = tile_place(blockIdx.x, (p.m + Tile::kM - 1) / Tile::kM, (p.n + Tile::kN - 1) / Tile::kN);
    const uint32_t row0 = tile.row * Tile::kM, col0 = tile.col * Tile::kN;
    float acc[Tile::kFragsM][Tile::kFragsN][4];
    gemm_tile<Tile>(GemmPair{p.x, p.w, p.x_stride, p.w_stride, p.k},
                    GemmPair{p.low, p.low_w, p.low_stride, p.low_w_stride, p.r}, p.m, p.n, row0, col0, smem, acc);
    const uint32_t warp = threadIdx.x / 32;
    const uint32_t row = row0 + warp / Tile::kWarpsN * Tile::kWarpM + threadIdx.x % 32 / 4;
    const uint32_t col = col0 + warp % Tile::kWarpsN * Tile::kWarpN;
#pragma unroll
    for (int i = 0; i < Tile::kFragsM; i++) linear_store<kStore>(p, row + i * 16, col, acc[i]);
}

GRADUS_KERNEL(linear_bf16, LinearParams, 128, 2) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<WideTile, LinearStore::kBf16>(p, smem);
}

GRADUS_KERNEL(linear_f32, LinearParams, 128, 2) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<WideTile, LinearStore::kF32>(p, smem);
}

GRADUS_KERNEL(linear_add_f32, LinearParams, 128, 2) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<WideTile, LinearStore::kAddF32>(p, smem);
}

GRADUS_KERNEL(linear_narrow_bf16, LinearParams, 128, 4) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<NarrowTile, LinearStore::kBf16>(p, smem);
}

GRADUS_KERNEL(linear_narrow_f32, LinearParams, 128, 4) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<NarrowTile, LinearStore::kF32>(p, smem);
}

GRADUS_KERNEL(linear_narrow_add_f32, LinearParams, 128, 4) {
    GRADUS_DYNAMIC_SMEM(unsigned char, smem);
    linear_block<NarrowTile, LinearStore::kAddF32>(p, smem);
}
