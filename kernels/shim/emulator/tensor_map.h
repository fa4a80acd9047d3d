// What the emulated driver puts into the 128 opaque bytes of a CUtensorMap.
#pragma once
#include <cstdint>

namespace gradus::shim {

struct TensorMapBits {
  static constexpr uint32_t kMagic = 0x67744d70;
  uint32_t magic;
  uint8_t rank, element_bytes, swizzle, interleave;  // swizzle as the driver numbers it: 0 none, 1 32, 2 64, 3 128 bytes
  uint64_t address;
  uint64_t size[5];    // elements, innermost first
  uint64_t stride[4];  // bytes, of dimensions 1 ..
  uint32_t box[5];
  uint32_t nan_fill;
};
static_assert(sizeof(TensorMapBits) <= 128, "fits into CUtensorMap");

}  // namespace gradus::shim
