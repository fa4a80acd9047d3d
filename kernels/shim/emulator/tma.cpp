// The tensor memory accelerator's transfers: boxes of a tensor, zero outside it, chunks of 16 bytes permuted by the swizzle.
#include "gradus_shim/ptx_sm90.h"
#include "tensor_map.h"
#include "worker.h"

namespace gradus::shim {

namespace {

const TensorMapBits& bits_of(const void* map) { return *static_cast<const TensorMapBits*>(map); }

// The permutation works on addresses: bits 4 .. are XORed with bits 7 .. (within 1024 bytes for 128).
char* swizzled(char* base, size_t offset, uint8_t swizzle, const char* origin) {
  uintptr_t at = static_cast<uintptr_t>(base - origin) + offset;
  static constexpr uintptr_t masks[4] = {0, 1, 3, 7};
  at ^= (at >> 7 & masks[swizzle]) << 4;
  return const_cast<char*>(origin) + at;
}

// Calls `move(shared, global or null, bytes)` for each run of at most 16 bytes of the box.
template <class Move>
void walk(const TensorMapBits& m, char* smem, const int* at, const char* origin, Move move) {
  uint32_t box[5] = {1, 1, 1, 1, 1};
  int64_t start[5] = {};
  for (int d = 0; d < m.rank; ++d) box[d] = m.box[d], start[d] = at[d];
  const size_t row_bytes = size_t{box[0]} * m.element_bytes;
  size_t offset = 0;
  for (uint32_t i4 = 0; i4 < box[4]; ++i4)
    for (uint32_t i3 = 0; i3 < box[3]; ++i3)
      for (uint32_t i2 = 0; i2 < box[2]; ++i2)
        for (uint32_t i1 = 0; i1 < box[1]; ++i1, offset += row_bytes) {
          const uint32_t index[5] = {0, i1, i2, i3, i4};
          bool inside = true;
          char* row = reinterpret_cast<char*>(m.address);
          for (int d = 1; d < m.rank; ++d) {
            const int64_t c = start[d] + index[d];
            inside = inside && c >= 0 && c < static_cast<int64_t>(m.size[d]);
            row += c * static_cast<int64_t>(m.stride[d - 1]);
          }
          // Bytes [first, last) of the row lie inside the tensor.
          const int64_t from = start[0] * m.element_bytes, end = static_cast<int64_t>(m.size[0]) * m.element_bytes;
          for (size_t b = 0; b < row_bytes; b += 16) {
            const size_t run = std::min<size_t>(16, row_bytes - b);
            char* const to = swizzled(smem, offset + b, m.swizzle, origin);
            const int64_t first = std::max<int64_t>(0, -(from + static_cast<int64_t>(b)));
            const int64_t last = std::min<int64_t>(static_cast<int64_t>(run), end - from - static_cast<int64_t>(b));
            if (!inside || first >= last) {
              move(to, nullptr, run);
            } else {
              if (first > 0) move(to, nullptr, static_cast<size_t>(first));
              move(to + first, row + from + static_cast<int64_t>(b) + first, static_cast<size_t>(last - first));
              if (last < static_cast<int64_t>(run)) move(to + last, nullptr, run - static_cast<size_t>(last));
            }
          }
        }
}

// Loads land outside fibers too, where dynamic shared memory is found through its alignment: it starts at a multiple of 1024.
const char* origin_of(const void* smem) { return reinterpret_cast<const char*>(reinterpret_cast<uintptr_t>(smem) & ~uintptr_t{1023}); }

}  // namespace

bool tensor_map_valid(const void* map) {
  return reinterpret_cast<uintptr_t>(map) % 64 == 0 && bits_of(map).magic == TensorMapBits::kMagic;
}
int tensor_rank(const void* map) { return bits_of(map).rank; }
uint64_t tensor_box_bytes(const void* map) {
  const TensorMapBits& m = bits_of(map);
  uint64_t bytes = m.element_bytes;
  for (int d = 0; d < m.rank; ++d) bytes *= m.box[d];
  return bytes;
}

void tensor_load(const void* map, void* smem, const int* at) {
  const TensorMapBits& m = bits_of(map);
  walk(m, static_cast<char*>(smem), at, origin_of(smem), [&](char* shared, const char* global, size_t bytes) {
    if (global) {
      std::memcpy(shared, global, bytes);
    } else {
      std::memset(shared, m.nan_fill ? 0xff : 0, bytes);
    }
  });
}

void tensor_store(const void* map, const void* smem, const int* at) {
  char* const from = static_cast<char*>(const_cast<void*>(smem));
  walk(bits_of(map), from, at, origin_of(smem), [](char* shared, char* global, size_t bytes) {
    if (global) std::memcpy(global, shared, bytes);
  });
}

void tma_store(const void* map, const void* smem, const int* at, int rank, Site site) {
  require_capability(90, "tma_store");
  if (!tensor_map_valid(map)) fail(format("tma_store at %s: the tensor map was not made by cuTensorMapEncodeTiled, or is not 64-byte aligned", describe(site).c_str()));
  if (tensor_rank(map) != rank) fail(format("tma_store_%dd at %s: the tensor map has %d dimensions", rank, describe(site).c_str(), tensor_rank(map)));
  if (reinterpret_cast<uintptr_t>(smem) % 128) fail(format("tma_store at %s: shared memory is not 128-byte aligned", describe(site).c_str()), true);
  Groups<PendingStore>& stores = self().stores;
  stores.items.push_back({map, smem, {at[0], at[1], at[2], at[3], at[4]}, false});
  ++stores.open;
}

void tma_store_commit() {
  Groups<PendingStore>& stores = self().stores;
  stores.sizes.push_back(stores.open);
  stores.open = 0;
}

void tma_store_wait(unsigned newest) {
  Groups<PendingStore>& stores = self().stores;
  if (stores.sizes.size() <= newest) return;
  const size_t groups = stores.sizes.size() - newest;
  size_t items = 0;
  for (size_t g = 0; g < groups; ++g) items += stores.sizes[g];
  for (size_t i = 0; i < items; ++i) tensor_store(stores.items[i].map, stores.items[i].smem, stores.items[i].at);
  stores.items.erase(stores.items.begin(), stores.items.begin() + static_cast<long>(items));
  stores.sizes.erase(stores.sizes.begin(), stores.sizes.begin() + static_cast<long>(groups));
}

}  // namespace gradus::shim
