// The fused head on Hopper: x [rows, K] times w [tokens, K]^T (+ low low_w^T), transformed, reduced to (maximum, sum of exponentials) per
// row and block of the vocabulary; with a base model also sum e^(f - max) (f - b). bf16 in, sums f32; there is no logits tensor.
//
// A block (of threads) owns 256 (KL: 128) rows and a block of kVocabBlock tokens, eight tiles of 192 (twelve of 128) one after another;
// partials [block of the vocabulary][row] are merged on the host in f64, in the order of the vocabulary.
//
// Floors and predictions, and what an H100 SXM took where it was timed (benches/runs). It has 132 SMs, 2,048 multiply-adds a clock and SM, 790 TFLOP/s attainable.
//
//   16384 x 4096 x 131072   17.6 TFLOP: 22.3 ms. From memory 8 bands x 1.07 GB of w: 2.9 ms at 3.0 TB/s (1.9 ms at 4.6), hidden.
//     5,504 items (64 x 86) are 42 rounds of 132, 0.7 % idle. A tile takes 64 steps x 1,536 clocks = 98,304; its epilogue, about 2,100
//     clocks a group (576 multiplications and maxima, 1,536 exponentials), runs under the other group's products but for at most 600.
//     Partials: 11 MB. Predicted 23.7 ms, 740 TFLOP/s, 5 % of it for the second cache and shared memory, which are nearly full; measured 23.3 ms.
//   16384 x 896 x 151936    4.46 TFLOP: 5.65 ms. 6,336 items are 48 rounds. 14 steps are 21,504 clocks a tile; without overlap the
//     epilogues would add 15 to 20 %, with it at most 3 %. Predicted 6.2 ms, 720 TFLOP/s; measured 6.8 ms.
//   KL, 16384 x 4096 x 131072: 35.2 TFLOP: 44.5 ms. Weights apart: tiles of 128x128 want 64 B a clock and SM from the second cache: predicted
//     70 ms. Weights shared: 48 B: predicted 52 ms.
//
// Soft caps, from counts, not measured: 10.4 instructions a logit, 2.5 of them MUFU, no branch (54, 4 and 6 where each logit asks what is to be
// done with it, in one chain of some 150 clocks).
//
//   16384 x 2304 x 256000   19.3 TFLOP: 24.5 ms. 10,688 items are 81 rounds. A tile takes 36 steps x 1,536 clocks = 55,296; its epilogue is 480 MUFU
//     of 8 clocks a thread, 3,840, beside which 1,510 other instructions issue, and the other group's products cover 1,536 to 2,304 of it: 3 to 4 %.
//     Predicted 26.4 ms, 730 TFLOP/s.
//   KL with shared weights  38.7 TFLOP: 49 ms. A tile takes 36 x 1,024 = 36,864 clocks; 320 MUFU are 2,560, of which 1,024 to 1,536 are
//     covered. Predicted 59 ms, most of the distance for the second cache.
//
// Determinism: a row's partial is the same for any number of rows, any slab of whole vocabulary blocks, any order: each lane takes its
// columns in order, a quad merges symmetrically.
#include "gradus/gemm_sm90.cuh"
#include "gradus/head.cuh"

using namespace gradus;

// Tokens whose exponentials are summed in f32. Part of the numeric contract of the device; slabs are whole blocks.
constexpr uint32_t kVocabBlock = 1536;
using HeadTile = HopperTile<2, 192>;
// Transforms need registers: two thirds of the accumulators, and a part of them at a time.
using GeneralTile = HopperTile<2, 128>;
using KlTile = HopperTile<1, 128>;
using KlSharedTile = HopperTile<2, 128>;
static_assert(kVocabBlock % HeadTile::kN == 0 && kVocabBlock % GeneralTile::kN == 0 && kVocabBlock % KlTile::kN == 0 && KlSharedTile::kN == KlTile::kN,
              "whole tiles");
static_assert(HeadTile::kSmemBytes == 229440 && GeneralTile::kSmemBytes == 196672 && KlTile::kSmemBytes == 229488 && KlSharedTile::kSmemBytes == 196672,
              "the host launches it so");

// A model at the head; boxes of the maps are 64 columns and the tile's rows (x, low) or columns (w, low_w).
struct HeadModelSm90 {
  TensorMap x;
  TensorMap w;
  TensorMap low;  // not read if r = 0
  TensorMap low_w;
  HeadTransform transform;
  uint32_t r;
  uint32_t reserved;
};
static_assert(sizeof(HeadModelSm90) == 576 && offsetof(HeadModelSm90, transform) == 512 && offsetof(HeadModelSm90, r) == 544,
              "the host writes this struct");

struct HeadSm90Params {
  HeadModelSm90 model;
  float* partials;  // [blocks][rows][2]: maximum, sum
  uint32_t rows;
  uint32_t tokens;
  uint32_t k;
  uint32_t zero;  // 0
};
static_assert(sizeof(HeadSm90Params) == 640 && offsetof(HeadSm90Params, partials) == 576 && offsetof(HeadSm90Params, rows) == 584 &&
                  offsetof(HeadSm90Params, zero) == 596,
              "the host writes this struct");

struct HeadKlSm90Params {
  HeadModelSm90 model;
  HeadModelSm90 base;
  float* partials;       // [blocks][rows][4]: maximum, sum, difference, 0
  float* base_partials;  // [blocks][rows][2]
  uint32_t rows;
  uint32_t tokens;
  uint32_t k;
  uint32_t zero;  // 0
};
static_assert(sizeof(HeadKlSm90Params) == 1216 && offsetof(HeadKlSm90Params, partials) == 1152 && offsetof(HeadKlSm90Params, rows) == 1168 &&
                  offsetof(HeadKlSm90Params, zero) == 1180,
              "the host writes this struct");

// After a product: a tile's last stage is released before its capped logits' exponentials, which would otherwise come first, up to 106 of them.
template <HeadKind kKind>
GRADUS_DEVICE void end_product(uint32_t zero) {
  if constexpr (kKind == HeadKind::kCapped) end_block(zero);
}

// The end of the vocabulary block that starts at `token`, or of the slab.
GRADUS_DEVICE uint32_t block_end(uint32_t token, uint32_t tokens) { return tokens - token < kVocabBlock ? tokens : token + kVocabBlock; }

template <class Tile>
GRADUS_DEVICE void load_model(HopperRing<Tile>& ring, const HeadModelSm90& model, uint32_t k, uint32_t row, uint32_t token) {
  hopper_load(ring, &model.x, &model.w, k, row, token);
  hopper_load(ring, &model.low, &model.low_w, model.r, row, token);
}

template <class Tile, HeadKind kKind>
GRADUS_DEVICE void head_blocks(const HeadSm90Params& p, unsigned char* smem) {
  HopperRing<Tile> ring(smem);
  const uint32_t rows = ceil_div<uint32_t>(p.rows, Tile::kM), cols = ceil_div<uint32_t>(p.tokens, kVocabBlock);
  const int warpgroup = warp_uniform(warpgroup_id());
  if (warpgroup == 0) {
    setmaxnreg_dec<kHopperLoadRegisters>();
    if (threadIdx.x == 0) {
      tma_prefetch(&p.model.x);
      tma_prefetch(&p.model.w);
      for (uint32_t item = blockIdx.x; item < rows * cols; item += gridDim.x) {
        const HopperPlace at = hopper_place(item, rows, cols);
        const uint32_t end = block_end(at.col * kVocabBlock, p.tokens);
        for (uint32_t token = at.col * kVocabBlock; token < end; token += Tile::kN) load_model(ring, p.model, p.k, at.row * Tile::kM, token);
      }
    }
  } else {
    setmaxnreg_inc<kHopperMultiplyRegisters>();
    const int group = warpgroup - 1;
    const uint32_t steps = hopper_steps(p.k, p.model.r);
    hopper_take_turn(group);
    bool first = true;
    for (uint32_t item = blockIdx.x; item < rows * cols; item += gridDim.x) {
      const HopperPlace at = hopper_place(item, rows, cols);
      const uint32_t end = block_end(at.col * kVocabBlock, p.tokens);
      HeadRunning run[Tile::kParts][2];
#pragma unroll
      for (int i = 0; i < Tile::kParts * 2; i++) run[i / 2][i % 2] = head_none<kKind>();
      for (uint32_t token = at.col * kVocabBlock; token < end; token += Tile::kN) {
        HopperAcc<Tile> acc;
        hopper_multiply(ring, steps, group, first, acc);
        end_product<kKind>(p.zero);
        first = false;
#pragma unroll
        for (int part = 0; part < Tile::kParts; part++) head_add_sums<kKind>(p.model.transform, run[part], acc[part], token, p.tokens);
      }
#pragma unroll
      for (int i = 0; i < Tile::kParts * 2; i++) {
        const uint32_t row = at.row * Tile::kM + (group * Tile::kParts + i / 2) * 64 + threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4 + i % 2 * 8;
        HeadRunning& r = run[i / 2][i % 2];
        head_merge_quad(r, nullptr);
        if (threadIdx.x % 4 == 0 && row < p.rows) {
          reinterpret_cast<float2*>(p.partials)[static_cast<uint64_t>(at.col) * p.rows + row] = make_float2(r.max, r.sum);
        }
      }
    }
  }
}

// Scale alone, if anything.
GRADUS_KERNEL(head_sm90, HeadSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_blocks<HeadTile, HeadKind::kScaled>(p, smem);
}

// Scale, and a soft cap.
GRADUS_KERNEL(head_sm90_capped, HeadSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_blocks<HeadTile, HeadKind::kCapped>(p, smem);
}

// Any transform: factors and biases of tokens (DoRA, adapters' biases), soft caps past 64, rounded logits.
GRADUS_KERNEL(head_sm90_general, HeadSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  head_blocks<GeneralTile, HeadKind::kAny>(p, smem);
}

template <bool kShared>
struct KlTileOf {
  using Type = KlTile;
};
template <>
struct KlTileOf<true> {
  using Type = KlSharedTile;
};

// Loads the rows of two models, one under the other for each group, and the weights that they share.
GRADUS_DEVICE void load_shared(HopperRing<KlSharedTile>& ring, const HeadKlSm90Params& p, uint32_t row, uint32_t token) {
  using Tile = KlSharedTile;
  for (uint32_t k = 0; k < p.k; k += Tile::kK) {
    mbarrier_wait(ring.empty + ring.stage, ring.parity ^ 1);
    unsigned char* const to = ring.smem + ring.stage * Tile::kStageBytes;
    uint64_t* const bar = ring.full + ring.stage;
    mbarrier_arrive_expect_tx(bar, Tile::kStageBytes);
    for (int group = 0; group < kHopperGroups; group++) {
      unsigned char* const rows = to + 2 * group * Tile::kPartBytesA;
      tma_load_2d(rows, &p.base.x, static_cast<int>(k), static_cast<int>(row + 64 * group), bar);
      tma_load_2d(rows + Tile::kPartBytesA, &p.model.x, static_cast<int>(k), static_cast<int>(row + 64 * group), bar);
    }
    tma_load_2d(to + Tile::kBytesA, &p.base.w, static_cast<int>(k), static_cast<int>(token), bar);
    ring.advance();
  }
}

// Two models with weights of their own: the base's product of a tile, then the model's, 64x128 a group each. With the same weights, nothing beside
// them and no transform it is one product, of the base's rows and the model's under them: weights are read once, and the second cache is asked for
// 48 B a clock instead of 64. A row's sums are the same bits.
template <bool kShared, HeadKind kKind>
GRADUS_DEVICE void kl_blocks(const HeadKlSm90Params& p, unsigned char* smem) {
  using Tile = typename KlTileOf<kShared>::Type;
  HopperRing<Tile> ring(smem);
  const uint32_t rows = ceil_div<uint32_t>(p.rows, KlTile::kM), cols = ceil_div<uint32_t>(p.tokens, kVocabBlock);
  const int warpgroup = warp_uniform(warpgroup_id());
  if (warpgroup == 0) {
    setmaxnreg_dec<kHopperLoadRegisters>();
    if (threadIdx.x == 0) {
      for (uint32_t item = blockIdx.x; item < rows * cols; item += gridDim.x) {
        const HopperPlace at = hopper_place(item, rows, cols);
        const uint32_t end = block_end(at.col * kVocabBlock, p.tokens);
        for (uint32_t token = at.col * kVocabBlock; token < end; token += Tile::kN) {
          if constexpr (kShared) {
            load_shared(ring, p, at.row * KlTile::kM, token);
          } else {
            load_model(ring, p.base, p.k, at.row * KlTile::kM, token);
            load_model(ring, p.model, p.k, at.row * KlTile::kM, token);
          }
        }
      }
    }
  } else {
    setmaxnreg_inc<kHopperMultiplyRegisters>();
    const int group = warpgroup - 1;
    hopper_take_turn(group);
    bool first = true;
    for (uint32_t item = blockIdx.x; item < rows * cols; item += gridDim.x) {
      const HopperPlace at = hopper_place(item, rows, cols);
      const uint32_t end = block_end(at.col * kVocabBlock, p.tokens);
      HeadKlRunning run(head_none<kKind>());
      for (uint32_t token = at.col * kVocabBlock; token < end; token += Tile::kN) {
        float acc[2][KlTile::kN / 2];
        float(&b)[KlTile::kN / 2] = acc[0], (&f)[KlTile::kN / 2] = acc[1];
        if constexpr (kShared) {
          hopper_multiply(ring, hopper_steps(p.k, 0), group, first, acc);
          end_product<kKind>(p.zero);
          head_base<kKind>(p.base.transform, run, b, token, p.tokens);
        } else {
          hopper_multiply(ring, hopper_steps(p.k, p.base.r), group, first, reinterpret_cast<HopperAcc<Tile>&>(acc[0]));
          end_product<kKind>(p.zero);
          head_base<kKind>(p.base.transform, run, b, token, p.tokens);
          hopper_multiply(ring, hopper_steps(p.k, p.model.r), group, false, reinterpret_cast<HopperAcc<Tile>&>(acc[1]));
          end_product<kKind>(p.zero);
        }
        first = false;
        head_add_both<kKind>(p.model.transform, run, f, b, token, p.tokens);
      }
      run.template merge_quad<kKind>();
#pragma unroll
      for (int h = 0; h < 2; h++) {
        const uint32_t row = at.row * KlTile::kM + group * 64 + threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4 + h * 8;
        if (threadIdx.x % 4 == 0 && row < p.rows) run.store(h, p.partials, p.base_partials, static_cast<uint64_t>(at.col) * p.rows + row);
      }
    }
  }
}

// Scale alone, if anything.
GRADUS_KERNEL(head_kl_sm90, HeadKlSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_blocks<false, HeadKind::kScaled>(p, smem);
}

// Scale, and a soft cap, of both.
GRADUS_KERNEL(head_kl_sm90_capped, HeadKlSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_blocks<false, HeadKind::kCapped>(p, smem);
}

GRADUS_KERNEL(head_kl_sm90_shared_capped, HeadKlSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_blocks<true, HeadKind::kCapped>(p, smem);
}

// Any transform.
GRADUS_KERNEL(head_kl_sm90_general, HeadKlSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_blocks<false, HeadKind::kAny>(p, smem);
}

GRADUS_KERNEL(head_kl_sm90_shared, HeadKlSm90Params, kHopperThreads, 1) {
  GRADUS_DYNAMIC_SMEM(unsigned char, smem);
  kl_blocks<true, HeadKind::kScaled>(p, smem);
}
