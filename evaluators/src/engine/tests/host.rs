//! Host memory of a GPU's executor: what the plan counts is what is there.

use super::*;
use crate::plan::{AdapterLoad, HostMemory, Load};

#[test]
fn the_plan_counts_the_embeddings_rows_of_an_adapter_that_trains_them_and_of_a_width_that_is_no_multiple_of_8()
 {
    for gpu in gpus() {
        for names in [["lora"], ["lora-embedding"]] {
            let (mut group, rows) = llama(&names);
            let adapter = group.members[0].adapter.as_ref().unwrap();
            let load = Load {
                model: &group.model,
                members: 1,
                replaces: false,
                adapters: AdapterLoad::of(adapter),
                kept_token_bytes: 0,
            };
            let planned = HostMemory::new(&[load], 1);
            let found = |block: Option<usize>, group: &mut Group| {
                let mut executor = GpuExecutor::new(&gpu, 48).unwrap();
                executor.embedding_block = block.unwrap_or(executor.embedding_block);
                let numbers = run(&mut executor, group, &rows, 100, &Against::Nothing);
                (numbers, executor.pinned()[4] as u64)
            };
            let (whole, pinned) = found(None, &mut group);
            assert!(
                pinned > 0 && pinned <= planned.embedding_bytes,
                "{names:?}: {pinned} bytes are pinned, {planned:?}"
            );
            // 84 values of a row are 88 on the device.
            let row = 4 * 88;
            for block in [1, 2 * row + 1] {
                let (blocks, pinned) = found(Some(block), &mut group);
                assert!(
                    blocks == whole,
                    "{names:?}: other bits in blocks of {block}"
                );
                let most = 3 * block.max(row);
                assert!(pinned as usize <= most, "{names:?}: {pinned} of {most}");
            }
        }
    }
}
