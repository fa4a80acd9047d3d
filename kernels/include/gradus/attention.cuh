// What both attention kernels share: their parameters, a block's work, the mask, one step of the online softmax, the way out.
//
//   out[r, h, :] = sum over key positions n of softmax(t(scale q[r, h] . k[n, h / group])) v[n, h / group, :]      t(s) = s, or cap tanh(s / cap)
//
// q, k, v: bf16, columns of one matrix of rows; scores, softmax and sums f32; weights are rounded to bf16 for the second product; out bf16.
//
// **Packed rows.** The query heads of one key head share its tiles: packed row R = query * group + head of the group, so a block's kM
// rows are kM / group neighbouring queries with all their heads. Keys are read once for all of them, a short query still fills a tile
// (9 queries x 7 heads = 63 rows), and the part of a block above the causal diagonal shrinks by the group.
//
// **Order.** Keys of a query are taken in tiles anchored at position 0 of its sequence, ascending; a tile's size follows from head_dim
// alone. A row of a product never meets another row. So a query's bits depend on it and its keys, not on blocks, segments, or storage.
// A tile in which a row may see nothing changes none of that row's bits, so tiles may be left out: all its scores are -inf, the maximum
// stays, the factor is exp2((m - m) c) = exp2(0) = 1 (or 0 times the zeros of a row that has seen nothing yet), the weights are
// exp2(-inf) = 0, and x * 1 + 0 = x. (-0 + 0 is +0: the last multiplication adds +0, which makes both +0.)
// A value that is not finite in a *later* key of the same tile does reach a query (0 * inf is NaN): it may spoil earlier queries of its own
// sequence, never another sequence. Under a soft cap the same goes for a key whose score is NaN: it has a reciprocal in common with its neighbour's.
#pragma once
#include "gradus/reduce.cuh"
#include "gradus/soft_cap.cuh"

// kM packed rows at most, of one segment, and the head of its keys: a work.
struct AttentionTile {
  uint32_t query_row;  // row of the segment's first query
  uint32_t position;   // its position
  uint32_t first;      // packed row of the block's first
  uint32_t rows;       // packed rows of the block, at least 1
  uint32_t keys;       // where the segment's key rows start in `key_rows`
  uint32_t kv_head;
};
static_assert(sizeof(AttentionTile) == 24 && offsetof(AttentionTile, keys) == 16 && offsetof(AttentionTile, kv_head) == 20, "as Tile in device/segments.rs");

struct AttentionParams {
  const bf16* qkv;
  bf16* out;
  const AttentionTile* tiles;
  const uint32_t* key_rows;  // row of every key, by position, segment after segment
  uint64_t stride;
  uint64_t out_stride;
  uint32_t k;  // columns of the first key head and the first value head
  uint32_t v;
  uint32_t works;  // how many tiles there are
  uint32_t group;
  uint32_t head_dim;
  uint32_t window;    // positions that a query sees, itself included; 2^31 - 1: all
  float factor;       // c: what a score is multiplied by before exp2
  float cap_in;       // what a score is multiplied by before tanh, times 2 log2(e)
  float cap_out;      // what tanh is multiplied by, in units of log2; 0: no tanh
  uint32_t vectors;   // every head starts at 16 bytes and has whole 16-byte pieces
  uint32_t zero;      // 0
  uint32_t reserved;
};
static_assert(sizeof(AttentionParams) == 96 && offsetof(AttentionParams, k) == 48 && offsetof(AttentionParams, factor) == 72 &&
                  offsetof(AttentionParams, vectors) == 84 && offsetof(AttentionParams, works) == 56 && offsetof(AttentionParams, zero) == 88,
              "as Params in device.rs");

namespace gradus {
namespace attention {

// Work `index` of p.works.
struct Work {
  AttentionTile tile;
  int first_key, end_key;  // positions that some row of the block sees
  GRADUS_DEVICE Work(const AttentionParams& p, uint32_t index) {
    tile = p.tiles[index];
    first_key = max(0, first_seen(position(p, 0), p));
    end_key = position(p, tile.rows - 1) + 1;
  }
  // May lie before 0.
  GRADUS_DEVICE static int first_seen(int position, const AttentionParams& p) { return position + 1 - static_cast<int>(p.window); }
  // Row r of the block (rows past its last: as the last).
  GRADUS_DEVICE uint32_t packed(uint32_t r) const { return tile.first + (r < tile.rows ? r : tile.rows - 1); }
  GRADUS_DEVICE int position(const AttentionParams& p, uint32_t r) const { return static_cast<int>(tile.position + packed(r) / p.group); }
  GRADUS_DEVICE const bf16* query(const AttentionParams& p, uint32_t r) const {
    const uint32_t row = packed(r), i = row / p.group;
    return p.qkv + static_cast<uint64_t>(tile.query_row + i) * p.stride + (tile.kv_head * p.group + (row - i * p.group)) * p.head_dim;
  }
  GRADUS_DEVICE bf16* result(const AttentionParams& p, uint32_t r) const {
    const uint32_t row = packed(r), i = row / p.group;
    return p.out + static_cast<uint64_t>(tile.query_row + i) * p.out_stride + (tile.kv_head * p.group + (row - i * p.group)) * p.head_dim;
  }
};

// The running maximum and sum of one row, whose scores lie in four neighbouring lanes. `sum` is this lane's part.
struct RowState {
  float most = kNegInf;
  float sum = 0.f;
};

// Scores become cap tanh(score / cap), in units of log2.
template <int kCount>
GRADUS_DEVICE void soft_cap(const AttentionParams& p, float (&scores)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; i += 2) soft_cap_pair(p.cap_in, p.cap_out, scores[i], scores[i + 1]);
}

// Scores of a row in a tile: elements 4 n + 2 h + {0, 1} are columns 8 n + 2 (lane % 4) + {0, 1}. What the row does not see becomes -inf.
template <int kColumns>
GRADUS_DEVICE void mask(const AttentionParams& p, float* s, int half, int column, int last) {
  const int first = Work::first_seen(last, p);
#pragma unroll
  for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int at = column + 8 * n + c;
      if (at < first || at > last) s[4 * n + 2 * half + c] = kNegInf;
    }
  }
}

// Scores become weights; returns what earlier sums are multiplied by.
template <int kColumns>
GRADUS_DEVICE float weigh(float* s, int half, RowState& row, float factor) {
  float most = row.most, odd = kNegInf;  // two chains: each operation waits for its predecessor
#pragma unroll
  for (int n = 0; n < kColumns / 8; ++n) {
    most = fmaxf(most, s[4 * n + 2 * half]);
    odd = fmaxf(odd, s[4 * n + 2 * half + 1]);
  }
  most = lanes_max<4>(fmaxf(most, odd));
  const float base = most == kNegInf ? 0.f : most;
  const float kept = exp2_approx((row.most - base) * factor);  // a difference first: exactly 1 when the maximum stays
  const float shift = -(base * factor);
  float sum[2] = {0.f, 0.f};
#pragma unroll
  for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      float& x = s[4 * n + 2 * half + c];
      x = exp2_approx(fmaf(x, factor, shift));
      sum[c] += x;
    }
  }
  row.most = most;
  row.sum = fmaf(row.sum, kept, sum[0] + sum[1]);
  return kept;
}

// The same of scores that a cap of at most 64 holds: e^(+-64), and sums of them, are far inside f32. There is no maximum, so that earlier sums
// stay what they are.
template <int kColumns>
GRADUS_DEVICE void weigh_capped(float* s, int half, RowState& row) {
  float sum[2] = {0.f, 0.f};
#pragma unroll
  for (int n = 0; n < kColumns / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      float& x = s[4 * n + 2 * half + c];
      x = exp2_approx(x);
      sum[c] += x;
    }
  }
  row.sum += sum[0] + sum[1];
}

// A row's sums, elements 4 n + 2 h + {0, 1}, divided and written.
template <int kD>
GRADUS_DEVICE void write_row(const AttentionParams& p, const Work& work, uint32_t r, const float* o, int half, const RowState& row) {
  const float inverse = 1.0f / lanes_sum<4>(row.sum);
  if (r >= work.tile.rows) return;
  bf16* const out = work.result(p, r);
  const uint32_t column = 2 * (lane_id() & 3);
#pragma unroll
  for (int n = 0; n < kD / 8; ++n) {
    const float a = fmaf(o[4 * n + 2 * half], inverse, 0.f), b = fmaf(o[4 * n + 2 * half + 1], inverse, 0.f);
    const uint32_t at = 8 * n + column;
    if (p.vectors != 0) {
      if (at < p.head_dim) *reinterpret_cast<uint32_t*>(out + at) = pack_bf16x2(a, b);
    } else {
      if (at < p.head_dim) out[at] = to_bf16(a);
      if (at + 1 < p.head_dim) out[at + 1] = to_bf16(b);
    }
  }
}

}  // namespace attention
}  // namespace gradus
