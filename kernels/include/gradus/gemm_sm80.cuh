// The tensor-core product of sm_80 and later: one block's tile of A[M, K] x B[N, K]^T, accumulated in f32.
//
// A and B are bf16, K-contiguous, with strides that are multiples of 8 elements; M, N and K are arbitrary: whatever
// lies past them is zero-filled on its way into shared memory and never read. A second pair of operands (a low-rank
// addition) continues the same accumulators, as if its columns stood behind the first pair's.
//
// A tile of K is 32 columns, 64 bytes a row, in kStages buffers filled by cp.async. The 16-byte chunks of a row are
// permuted by bits 1 and 2 of its number,
//
//     row 0:  0 1 2 3 | row 1:  0 1 2 3      (one line: the 128 bytes that the banks serve at once)
//     row 2:  1 0 3 2 | row 3:  1 0 3 2
//     row 4:  2 3 0 1 | row 5:  2 3 0 1
//     row 6:  3 2 1 0 | row 7:  3 2 1 0
//
// so that the eight rows of an ldmatrix, one chunk each, lie in eight different sixteens of bytes: no bank conflicts,
// on the way in or out. A warp's tile is 64x64 where registers allow: at 64x32 reading fragments and filling buffers
// would take shared memory as many clocks (512 for 128x128x32) as the tensor cores take on A100; at 64x64 it is 384.
//
// Fragments of the next 16 columns are read while the current 16 are multiplied, across the ends of tiles, too (kAhead).
//
// **Determinism.** An element is one chain over K in steps of 16 columns, in order; then, the same, over the second
// pair's columns. The chain does not depend on M, N, the tile's size or the element's place in it.
#pragma once
#include "gradus/cuda.cuh"
#include "gradus/ptx.cuh"

namespace gradus {

// Columns of K in a buffer; bytes of a row of it.
constexpr int kTileK = 32;
constexpr int kTileKBytes = kTileK * 2;

// A[rows of the product, k] and B[columns of the product, k].
struct GemmPair {
    const bf16* a;
    const bf16* b;
    uint64_t a_stride;
    uint64_t b_stride;
    uint32_t k;
};

// kAhead_: whether a warp holds the fragments of two steps, or leaves it to the compiler how far it reads ahead, for kernels that keep
// values of their own in registers meanwhile.
template <int kM_, int kN_, int kWarpM_, int kWarpN_, int kStages_, bool kAhead_ = true>
struct GemmTile {
    static constexpr bool kAhead = kAhead_;
    static constexpr int kM = kM_;
    static constexpr int kN = kN_;
    static constexpr int kWarpM = kWarpM_;
    static constexpr int kWarpN = kWarpN_;
    static constexpr int kStages = kStages_;
    static constexpr int kWarpsN = kN / kWarpN;
    static constexpr int kThreads = 32 * (kM / kWarpM) * kWarpsN;
    // Fragments of a warp: 16 rows, 8 columns each.
    static constexpr int kFragsM = kWarpM / 16;
    static constexpr int kFragsN = kWarpN / 8;
    static constexpr int kBytesA = kM * kTileKBytes;
    static constexpr int kStageBytes = (kM + kN) * kTileKBytes;
    static constexpr int kSmemBytes = kStages * kStageBytes;
    // Rows that the block's threads fill in one go, four threads a row.
    static constexpr int kFillRows = kThreads / 4;
    static_assert(kM % kWarpM == 0 && kN % kWarpN == 0 && kWarpM % 16 == 0 && kWarpN % 16 == 0, "whole warps");
    static_assert(kM % kFillRows == 0 && kN % kFillRows == 0, "whole rounds of filling");
    static_assert(kStages >= 2, "a tile arrives while another is multiplied");
};

// Where a tile's element (row, chunk of 8 columns) lies in its buffer, in bytes.
__device__ __forceinline__ uint32_t tile_offset(uint32_t row, uint32_t chunk) {
    return row * kTileKBytes + ((chunk ^ ((row >> 1) & 3)) << 4);
}

// The order in which tiles are given to blocks: bands of kBand rows of tiles, a band column by column, so that the
// blocks that run together share both operands in the second cache.
struct TilePlace {
    uint32_t row;
    uint32_t col;
};

__device__ __forceinline__ TilePlace tile_place(uint32_t block, uint32_t rows, uint32_t cols) {
    constexpr uint32_t kBand = 16;
    const uint32_t band = block / (kBand * cols);
    const uint32_t first = band * kBand;
    const uint32_t height = min(kBand, rows - first);
    const uint32_t in_band = block - first * cols;
    return {first + in_band % height, in_band / height};
}

// Fills buffers with consecutive tiles of the first pair's K, then of the second's.
template <class Tile>
struct TileFiller {
    static constexpr int kRoundsA = Tile::kM / Tile::kFillRows;
    static constexpr int kRoundsB = Tile::kN / Tile::kFillRows;

    const bf16* a;
    const bf16* b;
    uint64_t a_step;  // elements from a round's row to the next round's
    uint64_t b_step;
    int32_t left;     // columns of the pair from this thread's chunk on
    uint32_t rows_in; // bit i: the row of round i of A exists; bit 16 + i: of B
    uint32_t offset;  // of this thread's chunk in a buffer

    __device__ __forceinline__ TileFiller(uint32_t m, uint32_t n, uint32_t row0, uint32_t col0)
        : a(nullptr), b(nullptr), a_step(0), b_step(0), left(0), rows_in(0), offset(0) {
        const uint32_t row = threadIdx.x / 4;
        offset = tile_offset(row, threadIdx.x % 4);
#pragma unroll
        for (int i = 0; i < kRoundsA; i++) {
            rows_in |= uint32_t(row0 + row + i * Tile::kFillRows < m) << i;
        }
#pragma unroll
        for (int i = 0; i < kRoundsB; i++) {
            rows_in |= uint32_t(col0 + row + i * Tile::kFillRows < n) << (16 + i);
        }
    }

    __device__ __forceinline__ void begin(const GemmPair& pair, uint32_t row0, uint32_t col0) {
        const uint32_t row = threadIdx.x / 4;
        const uint32_t k = threadIdx.x % 4 * 8;
        a = pair.a + (row0 + row) * pair.a_stride + k;
        b = pair.b + (col0 + row) * pair.b_stride + k;
        a_step = Tile::kFillRows * pair.a_stride;
        b_step = Tile::kFillRows * pair.b_stride;
        left = int32_t(pair.k) - int32_t(k);
    }

    // Fills `buffer` with the next tile. Nothing is read through a pointer whose size is 0.
    __device__ __forceinline__ void fill(unsigned char* buffer) {
        static_assert(kRoundsA <= 16 && kRoundsB <= 16, "a bit per round");
        const int bytes = max(0, min(16, left * 2));
        // A round is a multiple of 8 rows further: the chunk's permutation is the same.
        static_assert(Tile::kFillRows % 8 == 0, "rounds keep the permutation");
#pragma unroll
        for (int i = 0; i < kRoundsA; i++) {
            cp_async_16(buffer + offset + i * Tile::kFillRows * kTileKBytes, a + i * a_step,
                        rows_in >> i & 1 ? bytes : 0);
        }
#pragma unroll
        for (int i = 0; i < kRoundsB; i++) {
            cp_async_16(buffer + Tile::kBytesA + offset + i * Tile::kFillRows * kTileKBytes, b + i * b_step,
                        rows_in >> (16 + i) & 1 ? bytes : 0);
        }
        a += kTileK;
        b += kTileK;
        left -= kTileK;
    }
};

// The part of a tile that a warp multiplies at a time: 16 columns of K.
template <class Tile>
struct TileFragments {
    uint32_t a[Tile::kFragsM][4];
    uint32_t b[Tile::kFragsN / 2][4];

    // `a_at`, `b_at`: this lane's row of the warp's first fragment in the buffer, chunk included.
    __device__ __forceinline__ void load(const unsigned char* buffer, uint32_t a_at, uint32_t b_at) {
#pragma unroll
        for (int i = 0; i < Tile::kFragsM; i++) {
            ldmatrix_x4(a[i], buffer + a_at + i * 16 * kTileKBytes);
        }
#pragma unroll
        for (int j = 0; j < Tile::kFragsN / 2; j++) {
            ldmatrix_x4(b[j], buffer + b_at + j * 16 * kTileKBytes);
        }
    }

    __device__ __forceinline__ void multiply(float (&acc)[Tile::kFragsM][Tile::kFragsN][4]) const {
#pragma unroll
        for (int i = 0; i < Tile::kFragsM; i++) {
#pragma unroll
            for (int j = 0; j < Tile::kFragsN; j++) {
                const uint32_t pair[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
                mma_m16n8k16(acc[i][j], a[i], pair);
            }
        }
    }
};

// acc = A B^T (+ A2 B2^T) of the tile at (row0, col0).
//
// Of warp w and lane l, acc[i][j][h * 2 + c] is the element at
//   row0 + w / kWarpsN * kWarpM + i * 16 + h * 8 + l / 4,  col0 + w % kWarpsN * kWarpN + j * 8 + l % 4 * 2 + c.
//
// * `second.k` = 0: no second pair
// * `smem`: Tile::kSmemBytes, free to use again when this returns
template <class Tile>
__device__ __forceinline__ void gemm_tile(const GemmPair& first, const GemmPair& second, uint32_t m, uint32_t n,
                                          uint32_t row0, uint32_t col0, unsigned char* smem,
                                          float (&acc)[Tile::kFragsM][Tile::kFragsN][4]) {
    static_assert(kTileK == 32, "two steps of 16 a tile");
    const uint32_t lane = threadIdx.x % 32;
    const uint32_t warp = threadIdx.x / 32;
#pragma unroll
    for (int i = 0; i < Tile::kFragsM; i++) {
#pragma unroll
        for (int j = 0; j < Tile::kFragsN; j++) {
#pragma unroll
            for (int e = 0; e < 4; e++) acc[i][j][e] = 0.0f;
        }
    }

    const uint32_t first_tiles = (first.k + kTileK - 1) / kTileK;
    const uint32_t tiles = first_tiles + (second.k + kTileK - 1) / kTileK;
    TileFiller<Tile> filler(m, n, row0, col0);
    filler.begin(first, row0, col0);
    // Buffer of the tile that is filled, and of the tile that is read.
    uint32_t into = 0, from = 0;
    uint32_t filled = 0;
    const auto fill_next = [&] {
        if (filled < tiles) {
            if (filled == first_tiles) filler.begin(second, row0, col0);
            filler.fill(smem + into * Tile::kStageBytes);
            filled++;
            into = into + 1 == Tile::kStages ? 0 : into + 1;
        }
        // An empty group keeps the count of groups, by which arrival is known.
        cp_async_commit();
    };
#pragma unroll
    for (int s = 0; s < Tile::kStages - 1; s++) fill_next();

    // A: matrices (rows 0-7, 8-15) x (chunk 0, 1); B: (columns 0-7: chunks 0, 1), (columns 8-15: chunks 0, 1).
    const uint32_t a_row = warp / Tile::kWarpsN * Tile::kWarpM + lane % 16;
    const uint32_t b_row = warp % Tile::kWarpsN * Tile::kWarpN + lane / 16 * 8 + lane % 8;
    const uint32_t a_at = tile_offset(a_row, lane / 16);
    const uint32_t b_at = Tile::kBytesA + tile_offset(b_row, lane / 8 % 2);
    // Chunks 2 and 3 are chunks 0 and 1 with the second bit turned, before and after the permutation.
    constexpr uint32_t kSecond = 2 << 4;

    cp_async_wait<Tile::kStages - 2>();
    __syncthreads();
    if constexpr (!Tile::kAhead) {
        TileFragments<Tile> fragments;
        for (uint32_t t = 0; t < tiles; t++) {
            const unsigned char* buffer = smem + from * Tile::kStageBytes;
            fragments.load(buffer, a_at, b_at);
            fill_next();
            fragments.multiply(acc);
            fragments.load(buffer, a_at ^ kSecond, b_at ^ kSecond);
            fragments.multiply(acc);
            cp_async_wait<Tile::kStages - 2>();
            __syncthreads();
            from = from + 1 == Tile::kStages ? 0 : from + 1;
        }
        cp_async_wait<0>();
        __syncthreads();
        return;
    }
    TileFragments<Tile> even, odd;
    if (tiles > 0) even.load(smem, a_at, b_at);
    for (uint32_t t = 0; t < tiles; t++) {
        const unsigned char* buffer = smem + from * Tile::kStageBytes;
        odd.load(buffer, a_at ^ kSecond, b_at ^ kSecond);
        fill_next();
        even.multiply(acc);
        // The next tile has arrived for every thread, and every warp has read all of this one.
        cp_async_wait<Tile::kStages - 2>();
        __syncthreads();
        from = from + 1 == Tile::kStages ? 0 : from + 1;
        if (t + 1 < tiles) even.load(smem + from * Tile::kStageBytes, a_at, b_at);
        odd.multiply(acc);
    }
    cp_async_wait<0>();
    __syncthreads();
}

}  // namespace gradus
