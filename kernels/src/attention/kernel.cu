// Causal attention over packed rows on the tensor cores of sm_80 (mma.sync): gradus/attention.cuh has the formula and the promises.
//
// A block of 4 warps takes kM = 64 kTiles packed rows; a warp 16 kTiles of them, their scores against 64 keys, and their sums: all in
// registers. Shared memory: the queries, one tile of keys, one of values. Values of a tile land while its scores are computed, keys of
// the next one while values are summed (cp.async, 16 bytes; two barriers per tile). Rows of keys come by index, so that a prefix is
// shared where it lies: a warp reads the 16 indices of its quarter of a tile in one load, a tile ahead, and hands them round by shuffles.
//
// Per tile of 64 keys and warp at head_dim 128 (kTiles = 2, 32 rows), predicted from counts, not measured:
//   mma            2 products x 128                       256 x 8 cycles = 2,048 of its quarter of an A100's SM
//   shared memory  16 KiB keys + 16 KiB values + 8 KiB queries = 320 cycles of the SM; 4 warps: 1,280 per 2,048
//   exp2           32 x 64 = 2,048 in 16 lanes per cycle of the SM: 512 cycles of its quarter
//   others         about 3.5 per score: max, fma, add, half a conversion; 224 instructions x 2 cycles; rescaling 128
// Two blocks share an SM, one's softmax beside the other's products. A loop in which nothing overlapped would reach 2,048 / 3,260 = 63 %.
// Head sizes between compiled ones are padded with zeros, which add 0 to scores and are not written.
#include "gradus/attention.cuh"
#include "gradus/ptx.cuh"

using namespace gradus::attention;

namespace {

constexpr int kThreads = 128;
constexpr int kKeys = 64;  // of a tile, whatever the head size

// Rows of kD bf16 in 16-byte pieces. Eight rows at one piece lie in different banks: pieces are permuted by the row where a row is a
// multiple of 128 bytes, else rows are 16 bytes longer (an odd number of pieces).
template <int kD>
struct RowTile {
  static constexpr int kPieces = kD / 8;
  static constexpr bool kPermuted = kPieces % 8 == 0;
  static constexpr int kStride = kPermuted ? kD : kD + 8;
  bf16* data;
  GRADUS_DEVICE bf16* at(int row, int piece) const { return data + row * kStride + (kPermuted ? piece ^ (row & 7) : piece) * 8; }
};

// Rows first .. first + kRows of a tile, by one warp; source(r) is row r's head, null for zeros.
template <int kD, int kRows, class Source>
__device__ __forceinline__ void load_rows(const AttentionParams& p, RowTile<kD> to, int first, Source source) {
  constexpr int kPieces = kD / 8;
  if (p.vectors != 0) {
#pragma unroll
    for (int i = 0; i < kRows * kPieces / 32; ++i) {
      const int which = i * 32 + lane_id(), r = which / kPieces, piece = which % kPieces;
      const bf16* const from = source(r);
      const bool inside = from != nullptr && piece * 8 < static_cast<int>(p.head_dim);
      cp_async_16(to.at(first + r, piece), inside ? from + piece * 8 : p.qkv, inside ? 16 : 0);
    }
  } else {
    for (int i = 0; i < kRows * kD / 32; ++i) {
      const int which = i * 32 + lane_id(), r = which / kD, at = which % kD;
      const bf16* const from = source(r);
      const bool inside = from != nullptr && at < static_cast<int>(p.head_dim);
      to.at(first + r, at / 8)[at % 8] = inside ? from[at] : bf16{0};
    }
  }
}

// kCapped: scores under a soft cap of at most 64.
template <int kD, int kTiles, bool kQueriesInRegisters, bool kCapped = false>
__device__ __forceinline__ void attend(const AttentionParams& p) {
  constexpr int kM = 64 * kTiles, kSteps = kD / 16;
  GRADUS_DYNAMIC_SMEM(bf16, shared);
  const RowTile<kD> queries{shared};
  const RowTile<kD> keys{shared + kM * RowTile<kD>::kStride};
  const RowTile<kD> values{keys.data + kKeys * RowTile<kD>::kStride};
  const Work work(p, blockIdx.x);
  const int warp = warp_uniform(warp_id()), lane = lane_id();
  const int warp_row = warp * 16 * kTiles;

  // This lane's key of a tile's quarter: lanes l and l + 16 the same.
  const uint32_t* const key_rows = p.key_rows + work.tile.keys;
  const auto key_row = [&](int tile) {
    const int n = tile * kKeys + warp * 16 + (lane & 15);
    return n < work.end_key ? key_rows[n] : 0xffffffffu;
  };
  const auto load = [&](RowTile<kD> to, uint32_t row_of_lane, uint32_t column) {
    const bf16* const head = p.qkv + column + work.tile.kv_head * p.head_dim;
    load_rows<kD, 16>(p, to, warp * 16, [&](int r) {
      const uint32_t row = __shfl_sync(0xffffffffu, row_of_lane, r);
      return row == 0xffffffffu ? nullptr : head + static_cast<uint64_t>(row) * p.stride;
    });
  };

  int tile = work.first_key / kKeys;
  const int end_tile = (work.end_key + kKeys - 1) / kKeys;
  load_rows<kD, 16 * kTiles>(p, queries, warp_row, [&](int r) { return work.query(p, warp_row + r); });
  uint32_t row_now = key_row(tile);
  load(keys, row_now, p.k);
  cp_async_commit();

  RowState state[kTiles][2];  // rows lane / 4 + 8 h of each 16
  const int lowest = work.position(p, warp_row), highest = work.position(p, warp_row + 16 * kTiles - 1);

  float sums[kTiles][kD / 2] = {};
  uint32_t held[kQueriesInRegisters ? kTiles : 1][kQueriesInRegisters ? kSteps : 1][4];
  const auto query = [&](int m, int step, uint32_t (&a)[4]) { ldmatrix_x4(a, queries.at(warp_row + 16 * m + (lane & 15), 2 * step + lane / 16)); };
  if constexpr (kQueriesInRegisters) {
    cp_async_wait<0>();
    __syncwarp();  // a warp's queries are its own
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) query(m, step, held[m][step]);
    }
  }

#pragma unroll 1
  for (; tile < end_tile; ++tile) {
    const int start = tile * kKeys;
    // A tile that none of the warp's rows sees changes nothing.
    const bool seen = start <= highest && start + kKeys > Work::first_seen(lowest, p);
    cp_async_wait<0>();
    __syncthreads();  // keys have landed, values of the tile before are no longer read
    load(values, row_now, p.v);
    cp_async_commit();
    row_now = key_row(tile + 1);

    uint32_t weights[kTiles][kKeys / 4];  // pairs: the left factor of the second product
    if (seen) {
      float scores[kTiles][kKeys / 2];
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int i = 0; i < kKeys / 2; ++i) scores[m][i] = 0.f;
      }
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        uint32_t a[kTiles][4];
        if constexpr (!kQueriesInRegisters) {
#pragma unroll
          for (int m = 0; m < kTiles; ++m) query(m, step, a[m]);
        }
#pragma unroll
        for (int n = 0; n < kKeys / 16; ++n) {
          uint32_t b[4];
          ldmatrix_x4(b, keys.at(16 * n + (lane & 7) + (lane & 16) / 2, 2 * step + (lane / 8 & 1)));
          const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
          for (int m = 0; m < kTiles; ++m) {
            float(&s)[kKeys / 2] = scores[m];
            const uint32_t(&q)[4] = kQueriesInRegisters ? held[kQueriesInRegisters ? m : 0][kQueriesInRegisters ? step : 0] : a[m];
            mma_m16n8k16(*reinterpret_cast<float(*)[4]>(&s[8 * n]), q, left);
            mma_m16n8k16(*reinterpret_cast<float(*)[4]>(&s[8 * n + 4]), q, right);
          }
        }
      }
      if (kCapped || p.cap_out != 0.f) {
#pragma unroll
        for (int m = 0; m < kTiles; ++m) soft_cap(p, scores[m]);
      }
      if (start + kKeys - 1 > lowest || start < Work::first_seen(highest, p)) {
#pragma unroll
        for (int m = 0; m < kTiles; ++m) {
#pragma unroll
          for (int h = 0; h < 2; ++h) {  // positions are found anew: few tiles are masked, and registers are dear
            mask<kKeys>(p, scores[m], h, start + 2 * (lane & 3), work.position(p, warp_row + 16 * m + 8 * h + lane / 4));
          }
        }
      }
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          if constexpr (kCapped) {
            weigh_capped<kKeys>(scores[m], h, state[m][h]);
          } else {
            const float kept = weigh<kKeys>(scores[m], h, state[m][h], p.factor);
#pragma unroll
            for (int n = 0; n < kD / 8; ++n) {
              sums[m][4 * n + 2 * h] *= kept;
              sums[m][4 * n + 2 * h + 1] *= kept;
            }
          }
        }
#pragma unroll
        for (int i = 0; i < kKeys / 4; ++i) weights[m][i] = pack_bf16x2(scores[m][2 * i], scores[m][2 * i + 1]);
      }
    }

    cp_async_wait<0>();
    __syncthreads();  // values have landed, keys are no longer read
    if (tile + 1 < end_tile) load(keys, row_now, p.k);
    cp_async_commit();
    if (seen) {
#pragma unroll
      for (int step = 0; step < kKeys / 16; ++step) {
#pragma unroll
        for (int n = 0; n < kD / 16; ++n) {
          uint32_t b[4];
          ldmatrix_x4_trans(b, values.at(16 * step + (lane & 15), 2 * n + lane / 16));
          const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
#pragma unroll
          for (int m = 0; m < kTiles; ++m) {
            const uint32_t(&a)[4] = *reinterpret_cast<const uint32_t(*)[4]>(&weights[m][4 * step]);
            mma_m16n8k16(*reinterpret_cast<float(*)[4]>(&sums[m][8 * n]), a, left);
            mma_m16n8k16(*reinterpret_cast<float(*)[4]>(&sums[m][8 * n + 4]), a, right);
          }
        }
      }
    }
  }

#pragma unroll
  for (int m = 0; m < kTiles; ++m) {
#pragma unroll
    for (int h = 0; h < 2; ++h) write_row<kD>(p, work, warp_row + 16 * m + 8 * h + lane / 4, sums[m], h, state[m][h]);
  }
}

}  // namespace

GRADUS_KERNEL(attention_32, AttentionParams, kThreads, 2) { attend<32, 2, true>(p); }
GRADUS_KERNEL(attention_64, AttentionParams, kThreads, 2) { attend<64, 2, true>(p); }
GRADUS_KERNEL(attention_80, AttentionParams, kThreads, 2) { attend<80, 2, false>(p); }
GRADUS_KERNEL(attention_96, AttentionParams, kThreads, 2) { attend<96, 2, false>(p); }
GRADUS_KERNEL(attention_128, AttentionParams, kThreads, 2) { attend<128, 2, false>(p); }
GRADUS_KERNEL(attention_192, AttentionParams, kThreads, 2) { attend<192, 1, false>(p); }
GRADUS_KERNEL(attention_256, AttentionParams, kThreads, 1) { attend<256, 1, false>(p); }

GRADUS_KERNEL(attention_128_capped, AttentionParams, kThreads, 2) { attend<128, 2, false, true>(p); }
GRADUS_KERNEL(attention_256_capped, AttentionParams, kThreads, 1) { attend<256, 1, false, true>(p); }
