// The fused head: x [rows, K] times w [tokens, K]^T (+ low low_w^T), transformed, reduced to (maximum, sum of exponentials) per row and
// block of the vocabulary; with a base model also sum e^(f - max) (f - b). bf16 in, sums f32; there is no logits tensor. And what every
// architecture shares: the merge of partials, and the logits of targets.
//
// head*: a block of threads owns 128 (KL: 64) rows and a block of kVocabBlock tokens, twelve tiles of 128 one after another; a warp owns
// whole rows of a tile. head_merge: a thread owns a row. head_targets: a warp owns a target.
//
// Determinism: a row's partial is the same for any number of rows, any slab of whole vocabulary blocks, any order: each lane takes its
// columns in order, a quad merges symmetrically. Partials are merged in f64, in the order of the vocabulary.
//
// Floors for 16384 rows, K 4096, 131072 tokens on A100 (312 TFLOP/s dense bf16, 2.0 TB/s): 17.6 TFLOP, 56.4 ms; 1.2 GB of
// x and w, once: 0.6 ms. Bound by arithmetic. Predicted 80 ms, not measured: a warp's 32x128 reads 160 rows of shared memory for 4,096
// products where 64x64 reads 128, and the exponentials (16 a clock and SM) add 7 % at K 4096. Under a soft cap a logit is 10.4 instructions without
// a branch, 2.5 of them MUFU (37 in the code, in branches, where each logit asks what is to be done with it).
#include "gradus/gemm_sm80.cuh"
#include "gradus/head.cuh"
#include "gradus/reduce.cuh"

using namespace gradus;

// Tokens whose exponentials are summed in f32. Part of the numeric contract of the device; slabs are whole blocks.
constexpr uint32_t kVocabBlock = 1536;
using HeadTile = GemmTile<128, 128, 32, 128, 3, false>;
using KlTile = GemmTile<64, 128, 16, 128, 4, false>;
static_assert(kVocabBlock % HeadTile::kN == 0 && kVocabBlock % KlTile::kN == 0, "whole tiles");
static_assert(HeadTile::kThreads == 128 && HeadTile::kSmemBytes == 49152, "the host launches it so");
static_assert(KlTile::kThreads == 128 && KlTile::kSmemBytes == 49152, "the host launches it so");

struct HeadModel {
  const bf16* x;
  const bf16* w;
  const bf16* low;  // not read if r = 0
  const bf16* low_w;
  uint64_t x_stride;  // strides in elements
  uint64_t w_stride;
  uint64_t low_stride;
  uint64_t low_w_stride;
  HeadTransform transform;
  uint32_t k;
  uint32_t r;
};
static_assert(sizeof(HeadModel) == 104 && offsetof(HeadModel, x_stride) == 32 && offsetof(HeadModel, transform) == 64 &&
                  offsetof(HeadModel, k) == 96 && offsetof(HeadModel, r) == 100,
              "the host writes this struct");

struct HeadParams {
  HeadModel model;
  float* partials;  // [blocks][rows][2]: maximum, sum
  uint32_t rows;
  uint32_t tokens;
};
static_assert(sizeof(HeadParams) == 120 && offsetof(HeadParams, partials) == 104 && offsetof(HeadParams, rows) == 112, "the host writes this struct");

struct HeadKlParams {
  HeadModel model;
  HeadModel base;
  float* partials;       // [blocks][rows][4]: maximum, sum, difference, 0
  float* base_partials;  // [blocks][rows][2]
  uint32_t rows;
  uint32_t tokens;
};
static_assert(sizeof(HeadKlParams) == 232 && offsetof(HeadKlParams, base) == 104 && offsetof(HeadKlParams, partials) == 208 &&
                  offsetof(HeadKlParams, rows) == 224,
              "the host writes this struct");

template <class Tile>
GRADUS_DEVICE float (&row_values(float (&acc)[Tile::kFragsN][4]))[Tile::kFragsN * 4] {
  return reinterpret_cast<float(&)[Tile::kFragsN * 4]>(acc);
}

// Sums of a tile, a row's columns of this thread in order.
template <class Tile>
GRADUS_DEVICE void head_tile(const HeadModel& model, uint32_t rows, uint32_t tokens, uint32_t row0, uint32_t token, unsigned char* smem,
                             float (&acc)[Tile::kFragsM][Tile::kFragsN][4]) {
  gemm_tile<Tile>(GemmPair{model.x, model.w, model.x_stride, model.w_stride, model.k},
                  GemmPair{model.low, model.low_w, model.low_stride, model.low_w_stride, model.r}, rows, tokens, row0, token, smem, acc);
}

// The end of the vocabulary block that starts at `token`, or of the slab.
GRADUS_DEVICE uint32_t block_end(uint32_t token, uint32_t tokens) { return tokens - token < kVocabBlock ? tokens : token + kVocabBlock; }

template <HeadKind kKind>
GRADUS_DEVICE void head_block(const HeadParams& p, unsigned char* smem) {
  using Tile = HeadTile;
  static_assert(Tile::kWarpsN == 1, "a warp has whole rows");
  const TilePlace at = tile_place(blockIdx.x, (p.rows + Tile::kM - 1) / Tile::kM, (p.tokens + kVocabBlock - 1) / kVocabBlock);
  const uint32_t first = at.col * kVocabBlock, end = block_end(first, p.tokens);
  HeadRunning run[Tile::kFragsM][2];
#pragma unroll
  for (int i = 0; i < Tile::kFragsM * 2; i++) run[i / 2][i % 2] = head_none<kKind>();
  for (uint32_t token = first; token < end; token += Tile::kN) {
    float acc[Tile::kFragsM][Tile::kFragsN][4];
    head_tile<Tile>(p.model, p.rows, p.tokens, at.row * Tile::kM, token, smem, acc);
#pragma unroll
    for (int i = 0; i < Tile::kFragsM; i++) head_add_sums<kKind>(p.model.transform, run[i], row_values<Tile>(acc[i]), token, p.tokens);
  }
#pragma unroll
  for (int i = 0; i < Tile::kFragsM * 2; i++) {
    HeadRunning& r = run[i / 2][i % 2];
    head_merge_quad(r, nullptr);
    const uint32_t row = at.row * Tile::kM + threadIdx.x / 32 * Tile::kWarpM + i / 2 * 16 + i % 2 * 8 + threadIdx.x % 32 / 4;
    if (threadIdx.x % 4 == 0 && row < p.rows) {
      reinterpret_cast<float2*>(p.partials)[static_cast<uint64_t>(at.col) * p.rows + row] = make_float2(r.max, r.sum);
    }
  }
}

// Scale alone, if anything.
GRADUS_KERNEL(head, HeadParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_block<HeadKind::kScaled>(p, smem);
}

// Scale, and a soft cap.
GRADUS_KERNEL(head_capped, HeadParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_block<HeadKind::kCapped>(p, smem);
}

// Any transform.
GRADUS_KERNEL(head_general, HeadParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_block<HeadKind::kAny>(p, smem);
}

template <HeadKind kKind>
GRADUS_DEVICE void kl_block(const HeadKlParams& p, unsigned char* smem) {
  using Tile = KlTile;
  static_assert(Tile::kWarpsN == 1 && Tile::kFragsM == 1, "a warp has whole rows, two a thread");
  const TilePlace at = tile_place(blockIdx.x, (p.rows + Tile::kM - 1) / Tile::kM, (p.tokens + kVocabBlock - 1) / kVocabBlock);
  const uint32_t first = at.col * kVocabBlock, end = block_end(first, p.tokens);
  HeadKlRunning run(head_none<kKind>());
  for (uint32_t token = first; token < end; token += Tile::kN) {
    float b[1][Tile::kFragsN][4], f[1][Tile::kFragsN][4];
    head_tile<Tile>(p.base, p.rows, p.tokens, at.row * Tile::kM, token, smem, b);
    head_base<kKind>(p.base.transform, run, row_values<Tile>(b[0]), token, p.tokens);
    head_tile<Tile>(p.model, p.rows, p.tokens, at.row * Tile::kM, token, smem, f);
    head_add_both<kKind>(p.model.transform, run, row_values<Tile>(f[0]), row_values<Tile>(b[0]), token, p.tokens);
  }
  run.merge_quad<kKind>();
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const uint32_t row = at.row * Tile::kM + threadIdx.x / 32 * Tile::kWarpM + h * 8 + threadIdx.x % 32 / 4;
    if (threadIdx.x % 4 == 0 && row < p.rows) run.store(h, p.partials, p.base_partials, static_cast<uint64_t>(at.col) * p.rows + row);
  }
}

// Scale alone, if anything.
GRADUS_KERNEL(head_kl, HeadKlParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_block<HeadKind::kScaled>(p, smem);
}

// Scale, and a soft cap, of both.
GRADUS_KERNEL(head_kl_capped, HeadKlParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_block<HeadKind::kCapped>(p, smem);
}

// Any transform.
GRADUS_KERNEL(head_kl_general, HeadKlParams, 128, 2) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_block<HeadKind::kAny>(p, smem);
}

// Running sums of a row: of e^(x - max), and of e^(x - max) (x - b).
struct HeadMergeParams {
  const float* partials;  // [blocks][rows][width]
  double* max;            // [rows]
  double* sum;            // [rows]
  double* difference;     // [rows], or null
  uint32_t rows;
  uint32_t blocks;
  uint32_t width;  // 2, or 4 with the difference
  uint32_t reserved;
};
static_assert(sizeof(HeadMergeParams) == 48 && offsetof(HeadMergeParams, difference) == 24 && offsetof(HeadMergeParams, rows) == 32 &&
                  offsetof(HeadMergeParams, width) == 40,
              "the host writes this struct");

// Bytes: blocks * width * 4 + 48 a row; exponentials in f64, two a block and row.
GRADUS_KERNEL(head_merge, HeadMergeParams, 256, 2) {
  const uint32_t row = blockIdx.x * 256 + threadIdx.x;
  if (row >= p.rows) return;
  double max = p.max[row], sum = p.sum[row], difference = p.difference != nullptr ? p.difference[row] : 0.0;
  for (uint32_t block = 0; block < p.blocks; block++) {
    const float* part = p.partials + (static_cast<uint64_t>(block) * p.rows + row) * p.width;
    const double part_max = part[0], part_sum = part[1];
    const double larger = part_max > max ? part_max : max;
    // Nothing so far, or nothing here: e^(-inf - x) is 0, and -inf - -inf must not be asked for. NaN travels in the sums.
    const double old = max == larger ? 1.0 : exp(max - larger);
    const double now = part_max == larger ? 1.0 : exp(part_max - larger);
    sum = __dadd_rn(__dmul_rn(sum, old), __dmul_rn(part_sum, now));
    if (p.difference != nullptr) {
      difference = __dadd_rn(__dmul_rn(difference, old), __dmul_rn(static_cast<double>(part[2]), now));
    }
    max = larger;
  }
  p.max[row] = max;
  p.sum[row] = sum;
  if (p.difference != nullptr) p.difference[row] = difference;
}

struct HeadTargetsParams {
  HeadModel model;
  const uint32_t* targets;  // [count][2]: row, token of the vocabulary
  float* logits;            // [count]
  uint32_t count;
  uint32_t first;  // token of the slab's first row
  uint32_t tokens;
  uint32_t reserved;
};
static_assert(sizeof(HeadTargetsParams) == 136 && offsetof(HeadTargetsParams, targets) == 104 && offsetof(HeadTargetsParams, count) == 120 &&
                  offsetof(HeadTargetsParams, tokens) == 128,
              "the host writes this struct");

// One pair's product: lane i takes chunks i, i + 32, ... of eight columns, and lanes meet in a fixed butterfly.
GRADUS_DEVICE float dot(const bf16* a, const bf16* b, uint32_t k, float sum) {
  for (uint32_t at = threadIdx.x % 32 * 8; at < k; at += 256) {
    const uint4 x = load16(a + at), y = load16(b + at);
    const uint32_t xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
      if (at + 2 * i < k) sum = fmaf(bits_float(xs[i] << 16), bits_float(ys[i] << 16), sum);
      if (at + 2 * i + 1 < k) sum = fmaf(bits_float(xs[i] & 0xffff0000u), bits_float(ys[i] & 0xffff0000u), sum);
    }
  }
  return sum;
}

// Bytes: 4 K a target (a row of x and of w); its logit's sum has another order than the head's, 1e-6 of its size apart.
GRADUS_KERNEL(head_targets, HeadTargetsParams, 128, 4) {
  const uint32_t target = blockIdx.x * 4 + threadIdx.x / 32;
  if (target >= p.count) return;
  const uint64_t row = p.targets[2 * target];
  const uint32_t token = p.targets[2 * target + 1] - p.first;
  if (p.targets[2 * target + 1] < p.first || token >= p.tokens) return;
  const HeadModel& m = p.model;
  float sum = dot(m.x + row * m.x_stride, m.w + token * m.w_stride, m.k, 0.0f);
  if (m.r > 0) sum = dot(m.low + row * m.low_stride, m.low_w + token * m.low_w_stride, m.r, sum);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) p.logits[target] = head_logit(m.transform, sum, token, p.tokens);
}
