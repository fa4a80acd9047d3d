// cp.async: the destination is poison from the issue to the wait of the issuing thread, which is when the source is read.
#include "gradus_shim/ptx.h"
#include "worker.h"

namespace gradus::shim {

uint32_t shared_address(const void* p) {
  const Block& block = *self().block;
  const ptrdiff_t at = static_cast<const char*>(p) - block.dynamic;
  if (at < 0 || static_cast<size_t>(at) > block.dynamic_bytes) {
    fail("a shared memory address was asked of what is not in dynamic shared memory (the emulator gives static shared memory none)", true);
  }
  return static_cast<uint32_t>(at);
}

void copy_async(void* to, const void* from, int bytes, Site site) {
  if (reinterpret_cast<uintptr_t>(to) % 16 || (bytes > 0 && reinterpret_cast<uintptr_t>(from) % 16)) {
    fail(format("cp_async_16 at %s: addresses must be 16-byte aligned, found %p to %p", describe(site).c_str(), from, to), true);
  }
  if (bytes < 0 || bytes > 16) fail(format("cp_async_16 at %s: src_bytes is %d, expected 0 to 16", describe(site).c_str(), bytes));
  if (bytes) check_global(from, static_cast<size_t>(bytes), "cp_async_16");
  std::memset(to, kPoison, 16);
  Groups<CopyAsync>& copies = self().copies;
  copies.items.push_back({to, from, bytes});
  ++copies.open;
}

void copy_async_commit() {
  Groups<CopyAsync>& copies = self().copies;
  copies.sizes.push_back(copies.open);
  copies.open = 0;
}

void copy_async_wait(unsigned newest) {
  Groups<CopyAsync>& copies = self().copies;
  if (copies.sizes.size() <= newest) return;
  const size_t groups = copies.sizes.size() - newest;
  size_t items = 0;
  for (size_t g = 0; g < groups; ++g) items += copies.sizes[g];
  for (size_t i = 0; i < items; ++i) {
    const CopyAsync& c = copies.items[i];
    std::memset(c.to, 0, 16);
    std::memcpy(c.to, c.from, static_cast<size_t>(c.bytes));
  }
  copies.items.erase(copies.items.begin(), copies.items.begin() + static_cast<long>(items));
  copies.sizes.erase(copies.sizes.begin(), copies.sizes.begin() + static_cast<long>(groups));
}

void check_exit(Fiber& fiber) {
  for (uint32_t size : fiber.copies.sizes) {
    if (size) fail("ends with cp.async groups that nobody waited for");
  }
  if (!fiber.stores.items.empty()) fail("ends with TMA stores that nobody waited for; they still read shared memory");
  if (!fiber.products.items.empty()) fail("ends with wgmma groups that nobody waited for");
}

}  // namespace gradus::shim
