// What the parts of the emulator share that kernels do not see.
#pragma once
#include "gradus_shim/core.h"

namespace gradus::shim {

// Runs the block whose `bid`, `launch`, fibers and memory are set; its result is in `failed` and `failure`.
void run_block(Block& block);
// Completes the meetings of a warp that an exit made complete.
void finish_meetings(Block& block, unsigned warp);

// A transfer as the tensor map says (tma.cpp). `from` and `to` are what the issuing thread gave.
void tensor_load(const void* map, void* smem, const int* at);
void tensor_store(const void* map, const void* smem, const int* at);
uint64_t tensor_box_bytes(const void* map);
int tensor_rank(const void* map);
bool tensor_map_valid(const void* map);

}  // namespace gradus::shim
