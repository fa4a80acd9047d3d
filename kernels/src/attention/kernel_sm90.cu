// Causal attention over packed rows on Hopper's warpgroup products (wgmma): gradus/attention.cuh has the formula and the promises.
//
// A block takes works of 128 packed rows, one after another, see `work_index`. Warpgroup 0 fetches keys and values;
// warpgroups 1 and 2 take 64 rows each, their scores, weights and sums in registers. Keys and values pass through a ring of four slots (two tiles
// of each) with a barrier for "landed" and one for "read"; it runs on from work to work. Queries of the next work are fetched as soon as the last
// scores of this one are there.
// In a consumer the scores of tile j + 1 are under way while tile j's values are summed and while tile j + 1's softmax still waits; the two
// consumers take turns (named barriers), so that one's softmax runs beside the other's products.
//
//   fetch      K0 K1 V0 K2 V1 ...
//   consumer   S0 | S1, O += P0 V0 | softmax S1 | S2, O += P1 V1 | ...
//
// **Gather, not TMA.** Keys come by row index, 16 bytes per thread and instruction, into the 128-byte swizzle that wgmma reads. Per tile of 128
// keys at head_dim 128: 2 x 2,048 pieces = 128 warp instructions LDGSTS, and about 5 more for each pair: 110 of the 2,048 cycles that a quarter of
// the SM has. A tensor map would save these slots, which are not what the kernel waits for, and needs contiguous rows:
// a tile across the end of a shared prefix would still be gathered, by a second path.
//
// Per tile of 128 keys at head_dim 128, both consumers, predicted from counts, not measured:
//   wgmma          2 x (8 + 8) m64n128k16, 64 cycles each                              2,048 cycles of the SM
//   shared memory  scores read keys and queries: 16 x 6 KiB; values: 16 x 4 KiB; landing 64 KiB: 224 KiB at 128 bytes = 1,792 cycles
//   exp2           128 x 128 at 16 per cycle                                           1,024 cycles
//   others         about 3.5 per score (max, fma, add, half a conversion) + 1 per value rescaled: 576 cycles of every quarter
// Products are the floor if the turns hold; with a tenth of the exponentials exposed, 2,048 / 2,250 = 90 % inside the loop. A row of 2,048: blocks
// see 8.5 of 16 tiles on average, half of the last one masked (6 %), and start with about 1.5 us of latency before the first product (against
// 10 us of work): predicted 70 to 75 % of the attainable rate, 75 to 80 % at 4,096.
// Under a soft cap, per warp and tile, from counts: 2.5 MUFU a score. Head size 256 (64 keys): 80 x 8 = 640 clocks, beside 1,024 of products of its
// consumer; head size 128: 160 x 8 = 1,280 beside 1,024, so that exponentials are the floor, 80 % of the products' rate. There is no maximum, and
// sums are not rescaled: 370 instructions a tile at 256 where a maximum takes 590, and none of them between the values' product and the next one
// but the conversion of weights.
// Measured on an H100, of a kernel with a block a work and no softmax beside its own products: 51 % at 2,048, 70 % at 8,192.
#include "gradus/attention.cuh"
#include "gradus/ptx_sm90.cuh"

using namespace gradus::attention;

namespace {

constexpr int kThreads = 384;
constexpr int kM = 128;
constexpr int kSlots = 4;
constexpr int kFirstTurn = 1;  // named barriers: turns of the consumers, then one that the threads of a consumer meet at
constexpr int kConsumer = 3;

// Columns of a wgmma on kD values, and rows of a tile of keys.
template <int kD>
struct Sizes {
  static constexpr int kKeys = kD <= 128 ? 128 : 64;
  static constexpr int kPanels = (kD + 63) / 64;
  static constexpr int kQueryElements = kPanels * kM * 64, kSlotElements = kPanels * kKeys * 64;
};

// A tile is panels of 64 columns, [kRows][64] each, whose 16-byte pieces are permuted by the row: the 128-byte swizzle. Eight lanes copy a row,
// each its piece of every panel; `from` is the row's head, null for zeros.
template <int kD, int kRows>
GRADUS_DEVICE void copy_row(const AttentionParams& p, bf16* tile, int row, const bf16* from) {
  const int piece = lane_id() & 7;
  bf16* const to = tile + row * 64 + ((piece ^ row) & 7) * 8;
#pragma unroll
  for (int panel = 0; panel < (kD + 63) / 64; ++panel) {
    const int column = panel * 64 + piece * 8;
    if (kD % 64 != 0 && column >= kD) break;
    const bool inside = from != nullptr && column < static_cast<int>(p.head_dim);
    cp_async_16(to + panel * (kRows * 64), inside ? from + column : p.qkv, inside ? 16 : 0);
  }
}

struct Barriers {
  uint64_t* landed;
  uint64_t* read;
  GRADUS_DEVICE explicit Barriers(void* at) : landed(static_cast<uint64_t*>(at)), read(landed + kSlots) {}
};

// Slots in the order K0 K1 V0 K2 V1 ... , work after work: slot = step % 4, its use = step / 4.
struct Step {
  uint32_t step = 0;
  GRADUS_DEVICE uint32_t slot() const { return step % kSlots; }
  GRADUS_DEVICE uint32_t parity() const { return step / kSlots & 1u; }
};
GRADUS_DEVICE Step keys_step(uint32_t base, int i) { return Step{base + (i == 0 ? 0 : 2 * i - 1)}; }
GRADUS_DEVICE Step values_step(uint32_t base, int i, int num_tiles) { return Step{base + (i + 1 < num_tiles ? 2 * i + 2 : 2 * i + 1)}; }

// The block's work in its turn `turn`, p.works or more if there is none. Neighbours run together and share keys. Every other turn goes
// backwards: of works that come longest first again and again, each block has long and short ones.
GRADUS_DEVICE uint32_t work_index(uint32_t turn) { return turn * gridDim.x + (turn % 2 == 0 ? blockIdx.x : gridDim.x - 1 - blockIdx.x); }

// A work and its tiles of keys.
template <int kKeys>
struct Tiles {
  Work work;
  int first, count;
  GRADUS_DEVICE Tiles(const AttentionParams& p, uint32_t index) : work(p, index) {
    first = work.first_key / kKeys;
    count = (work.end_key + kKeys - 1) / kKeys - first;
  }
};

// Warpgroup 0: a warp fetches its quarter of each tile.
template <int kD>
__device__ __forceinline__ void fetch(const AttentionParams& p, bf16* slots, const Barriers& bars) {
  using Z = Sizes<kD>;
  constexpr int kRows = Z::kKeys / 4;
  const int warp = warp_uniform(warp_id()), lane = lane_id();
  const auto key_row = [&](const Tiles<Z::kKeys>& tiles, int tile) {
    // Past the last key any row will do: nobody sees it.
    const int n = (tiles.first + tile) * Z::kKeys + warp * kRows + lane % kRows;
    return p.key_rows[tiles.work.tile.keys + min(n, tiles.work.end_key - 1)];
  };
  // A step that has landed: wgmma may read what this thread copied.
  const auto announce = [&](uint32_t step) {
    fence_proxy_async();
    mbarrier_arrive(&bars.landed[step % kSlots]);
  };
  // Eight lanes copy a row, each its piece of every panel; a head that is narrower than kD ends in zeros, in the last panel. The piece's place in a
  // row of the tile depends on the row modulo 8: steps of four rows change one bit of it.
  const int piece = lane & 7, own_row = lane / 8;
  const int to = (warp * kRows + own_row) * 64 + ((piece ^ own_row) & 7) * 8;
  const int last_column = (Z::kPanels - 1) * 64 + piece * 8;
  const int last_bytes = last_column < static_cast<int>(p.head_dim) ? 16 : 0;
  const uint32_t stride = static_cast<uint32_t>(p.stride);
  uint32_t step = 0;
  const auto load = [&](const Work& work, uint32_t row_of_lane, uint32_t column) {
    const Step at{step};
    bf16* const slot = slots + at.slot() * Z::kSlotElements;
    const bf16* const from = p.qkv + column + work.tile.kv_head * p.head_dim + piece * 8;
    bf16* const place[2] = {slot + to, slot + (to ^ 32)};
    mbarrier_wait(&bars.read[at.slot()], at.parity() ^ 1u);
#pragma unroll
    for (int i = 0; i < kRows / 4; ++i) {
      const uint32_t row = __shfl_sync(0xffffffffu, row_of_lane, 4 * i + own_row);
      const bf16* const head = from + static_cast<uint64_t>(row) * stride;
#pragma unroll
      for (int panel = 0; panel < Z::kPanels; ++panel) {
        const bool last = panel + 1 == Z::kPanels;
        if (kD % 64 != 0 && last && last_column >= kD) break;
        // Of zero bytes nothing is read, wherever they would be.
        cp_async_16(place[i % 2] + i * 256 + panel * (Z::kKeys * 64), head + panel * 64, last ? last_bytes : 16);
      }
    }
    cp_async_commit();
    if (step > 0) {
      cp_async_wait<1>();
      announce(step - 1);
    }
    ++step;
  };
  uint32_t turn = 0;
  Tiles<Z::kKeys> tiles(p, work_index(0));
  uint32_t row = key_row(tiles, 0);
  for (;;) {
    const uint32_t next_index = work_index(++turn);
    const bool last = next_index >= p.works;
    const uint32_t row_of_next = last ? 0 : key_row(Tiles<Z::kKeys>(p, next_index), 0);
    load(tiles.work, row, p.k);
#pragma unroll 1
    for (int i = 0; i < tiles.count; ++i) {
      const bool more = i + 1 < tiles.count;
      const uint32_t row_next = more ? key_row(tiles, i + 1) : row_of_next;
      if (more) load(tiles.work, row_next, p.k);
      load(tiles.work, row, p.v);
      row = row_next;
    }
    if (last) break;
    tiles = Tiles<Z::kKeys>(p, next_index);
  }
  cp_async_wait<0>();
  announce(step - 1);
}

// A row's sums, elements 4 n + 2 h + {0, 1}, divided and written 16 bytes at a time.
template <int kD>
GRADUS_DEVICE void write_pieces(const AttentionParams& p, const Work& work, uint32_t r, const float* o, int half, const RowState& row) {
  const float inverse = 1.0f / lanes_sum<4>(row.sum);
  const uint32_t quad = lane_id() & 3;
  bf16* const out = work.result(p, r) + 8 * quad;
#pragma unroll
  for (int n = 0; n < kD / 8; n += 4) {
    uint32_t words[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* const at = o + 4 * (n + j) + 2 * half;
      words[j] = pack_bf16x2(fmaf(at[0], inverse, 0.f), fmaf(at[1], inverse, 0.f));
    }
    transpose_quad(words, quad & 1, quad & 2);
    if (r < work.tile.rows && 8 * (n + quad) < p.head_dim) store16(out + 8 * n, make_uint4(words[0], words[1], words[2], words[3]));
  }
}

// Warpgroups 1 and 2. kCapped: of scores under a soft cap of at most 64, whose exponentials would come before the turn and the release, for which
// others wait, if no block of instructions ended there.
template <int kD, bool kCapped>
__device__ __forceinline__ void consume(const AttentionParams& p, bf16* queries, bf16* slots, const Barriers& bars) {
  using Z = Sizes<kD>;
  constexpr int kKeys = Z::kKeys;
  const int consumer = warp_uniform(warpgroup_id()) - 1, lane = lane_id();
  const int thread = static_cast<int>(threadIdx.x & 127u), first_row = 64 * consumer;
  const int row = first_row + thread / 32 * 16 + lane / 4;  // and row + 8

  const auto copy_queries = [&](const Work& work) {
#pragma unroll 1
    for (int r = first_row + thread / 8; r < first_row + 64; r += 16) copy_row<kD, kM>(p, queries, r, work.query(p, r));
    cp_async_commit();
  };
  const auto meet = [&]() { named_barrier_sync(kConsumer + consumer, 128); };
  const auto take_turn = [&]() { named_barrier_sync(kFirstTurn + consumer, 256); };
  const auto give_turn = [&]() { named_barrier_arrive(kFirstTurn + 1 - consumer, 256); };
  const auto release = [&](Step at) {
    if (lane == 0) mbarrier_arrive(&bars.read[at.slot()]);
  };
  float sums[kD / 2];
  float scores[kKeys / 2];
  uint32_t weights[kKeys / 16][4];
  const auto multiply_keys = [&](Step at) {
    const bf16* const slot = slots + at.slot() * Z::kSlotElements;
#pragma unroll
    for (int step = 0; step < kD / 16; ++step) {
      const bf16* const q = queries + (step / 4) * (kM * 64) + first_row * 64 + (step % 4) * 16;
      const bf16* const k = slot + (step / 4) * (kKeys * 64) + (step % 4) * 16;
      wgmma_m64k16<kKeys>(scores, wgmma_desc_k128(q), wgmma_desc_k128(k), step > 0);
    }
    wgmma_commit();
  };
  const auto multiply_values = [&](Step at) {
    const bf16* const slot = slots + at.slot() * Z::kSlotElements;
#pragma unroll
    for (int step = 0; step < kKeys / 16; ++step) {
      wgmma_m64k16_bt<kD>(sums, weights[step], wgmma_desc_mn128(slot + step * 16 * 64, kKeys * 128), 1);
    }
    wgmma_commit();
  };
  const auto pack = [&]() {
#pragma unroll
    for (int e = 0; e < kKeys / 4; ++e) weights[e / 4][e % 4] = pack_bf16x2(scores[2 * e], scores[2 * e + 1]);
  };

  uint32_t base = 0, turn = 0, index = work_index(0);
  copy_queries(Work(p, index));
  if (consumer == 1) give_turn();  // the first turn is consumer 0's
#pragma unroll 1
  for (;;) {
    const Tiles<kKeys> tiles(p, index);
    const int first_tile = tiles.first, num_tiles = tiles.count;
    const uint32_t next_index = work_index(++turn);
    const bool last_work = next_index >= p.works;
    const int lowest = tiles.work.position(p, first_row), highest = tiles.work.position(p, first_row + 63);
    const int last_seen[2] = {tiles.work.position(p, row), tiles.work.position(p, row + 8)};
    RowState state[2];
    // Scores of tile i become weights; what the sums are multiplied by goes to `kept`.
    [[maybe_unused]] float kept[2];
    const auto softmax = [&](int i) {
      const int start = (first_tile + i) * kKeys;
      if (kCapped || p.cap_out != 0.f) soft_cap(p, scores);
      if (start + kKeys - 1 > lowest || start < Work::first_seen(highest, p)) {
#pragma unroll
        for (int h = 0; h < 2; ++h) mask<kKeys>(p, scores, h, start + 2 * (lane & 3), last_seen[h]);
      }
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        if constexpr (kCapped) {
          weigh_capped<kKeys>(scores, h, state[h]);
        } else {
          kept[h] = weigh<kKeys>(scores, h, state[h], p.factor);
        }
      }
    };
    // Each turn given is taken.
    const auto pass_turn = [&](int i) {
      if (consumer == 0 || i + 1 < num_tiles || !last_work) give_turn();
    };
    // After the last scores nobody reads these queries any more.
    const auto next_queries = [&](int i) {
      if (i + 1 < num_tiles || last_work) return;
      meet();
      copy_queries(Work(p, next_index));
    };

    cp_async_wait<0>();
    fence_proxy_async();
    meet();
#pragma unroll
    for (int e = 0; e < kD / 2; ++e) sums[e] = 0.f;
    mbarrier_wait(&bars.landed[keys_step(base, 0).slot()], keys_step(base, 0).parity());
    take_turn();
    wgmma_fence();
    multiply_keys(keys_step(base, 0));
    wgmma_wait<0>();
    pass_turn(0);
    release(keys_step(base, 0));
    if constexpr (kCapped) end_block(p.zero);
    softmax(0);
    next_queries(0);
    pack();
#pragma unroll 1
    for (int i = 1; i < num_tiles; ++i) {
      const Step keys = keys_step(base, i), values = values_step(base, i - 1, num_tiles);
      mbarrier_wait(&bars.landed[keys.slot()], keys.parity());
      take_turn();
      wgmma_fence();
      multiply_keys(keys);
      mbarrier_wait(&bars.landed[values.slot()], values.parity());
      wgmma_fence();
      multiply_values(values);
      // The other's scores then follow these values; given earlier, they would share the tensor cores with these scores, and both softmaxes
      // would leave them idle together.
      wgmma_wait<1>();
      pass_turn(i);
      release(keys);
      if constexpr (kCapped) end_block(p.zero);
      softmax(i);
      fence_registers(scores);
      next_queries(i);
      // Without this the compiler waits for the values' product before the exponentials.
      end_block(p.zero);
      wgmma_wait<0>();
      release(values);
      if constexpr (!kCapped) {
#pragma unroll
        for (int n = 0; n < kD / 8; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) sums[4 * n + e] *= kept[e / 2];
        }
      }
      pack();
    }
    const Step values = values_step(base, num_tiles - 1, num_tiles);
    mbarrier_wait(&bars.landed[values.slot()], values.parity());
    wgmma_fence();
    multiply_values(values);
    wgmma_wait<0>();
    release(values);
    const Work work(p, index);  // again: kept, it would take registers from the loop
#pragma unroll
    for (int h = 0; h < 2; ++h) write_pieces<kD>(p, work, row + 8 * h, sums, h, state[h]);
    if (last_work) break;
    base += 2 * num_tiles;
    index = next_index;
  }
}

template <int kD, bool kCapped = false>
__device__ __forceinline__ void attend(const AttentionParams& p) {
  using Z = Sizes<kD>;
  GRADUS_DYNAMIC_SMEM(bf16, shared);
  bf16* const slots = shared + Z::kQueryElements;
  const Barriers bars(slots + kSlots * Z::kSlotElements);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kSlots; ++i) {
      mbarrier_init(&bars.landed[i], 128);  // fetching threads
      mbarrier_init(&bars.read[i], 8);      // consuming warps
    }
    mbarrier_init_fence();
  }
  __syncthreads();
  if (warp_uniform(warpgroup_id()) == 0) {
    setmaxnreg_dec<kD <= 192 ? 72 : 40>();
    fetch<kD>(p, slots, bars);
  } else {
    setmaxnreg_inc<kD <= 192 ? 216 : 232>();
    consume<kD, kCapped>(p, shared, slots, bars);
  }
}

}  // namespace

GRADUS_KERNEL(attention_64_sm90, AttentionParams, kThreads, 1) { attend<64>(p); }
GRADUS_KERNEL(attention_96_sm90, AttentionParams, kThreads, 1) { attend<96>(p); }
GRADUS_KERNEL(attention_128_sm90, AttentionParams, kThreads, 1) { attend<128>(p); }
GRADUS_KERNEL(attention_192_sm90, AttentionParams, kThreads, 1) { attend<192>(p); }
GRADUS_KERNEL(attention_256_sm90, AttentionParams, kThreads, 1) { attend<256>(p); }

GRADUS_KERNEL(attention_128_sm90_capped, AttentionParams, kThreads, 1) { attend<128, true>(p); }
GRADUS_KERNEL(attention_256_sm90_capped, AttentionParams, kThreads, 1) { attend<256, true>(p); }
