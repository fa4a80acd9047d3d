//! Every member's head: who goes through the vocabulary with whom, and which numbers belong to which row.

use super::executor::{Executor, HeadInput, HeadNumbers};
use super::{Against, BaseHead, Group, MemberError, Monitor, PassError, RowResult, same_tensor};
use crate::layout::Chunk;

/// Runs every member's head; a result per member and row of the chunk.
pub(super) fn run<E: Executor>(
    executor: &mut E,
    group: &mut Group,
    chunk: &Chunk,
    against: &Against<'_, E::HeadRows>,
    inputs: &mut [Option<HeadInput<E::HeadRows>>],
    monitor: &mut dyn Monitor,
) -> Result<Vec<Option<Vec<RowResult>>>, PassError> {
    // With KL, distributions are compared token by token: vocabularies must be the same.
    let base = match against {
        Against::Nothing => None,
        Against::First => inputs[0].as_ref().map(HeadInput::vocabulary),
        Against::Base(base) => Some(base.input.vocabulary()),
    };
    for (member, input) in group.members.iter_mut().zip(inputs.iter_mut()) {
        if let (Some(expected), Some(found)) = (base, input.as_ref().map(HeadInput::vocabulary))
            && found != expected
        {
            member.failure = Some(MemberError::Vocabulary { found, expected });
            *input = None;
        }
    }
    // A token that a model has no logit for has no likelihood there.
    let largest = chunk.targets.iter().map(|t| t.token).max();
    for (member, input) in group.members.iter_mut().zip(inputs.iter_mut()) {
        let rows = input.as_ref().map(HeadInput::vocabulary);
        if let (Some(id), Some(rows)) = (largest, rows)
            && id as usize >= rows
        {
            member.put_out(&group.model, |m| &m.head, MemberError::Target { id, rows })?;
            *input = None;
        }
    }
    let kl = base.is_some();
    // Models whose head has the same number of rows go through the vocabulary together.
    let mut sizes: Vec<usize> = inputs.iter().flatten().map(HeadInput::vocabulary).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut results: Vec<Option<Vec<RowResult>>> = inputs.iter().map(|_| None).collect();
    for size in sizes {
        let members: Vec<usize> = (0..inputs.len())
            .filter(|&i| {
                inputs[i]
                    .as_ref()
                    .is_some_and(|input| input.vocabulary() == size)
            })
            .collect();
        let mut streams: Vec<&HeadInput<E::HeadRows>> = Vec::new();
        if let Against::Base(BaseHead { input }) = against {
            streams.push(input);
        }
        let first = streams.len();
        streams.extend(members.iter().filter_map(|&i| inputs[i].as_ref()));
        let numbers = match executor.head(&streams, &chunk.targets, kl, monitor) {
            Ok(numbers) => numbers,
            Err((at, PassError::Weights(error))) => {
                let Some(i) = at.checked_sub(first).map(|i| members[i]) else {
                    return Err(PassError::Base(error));
                };
                if same_tensor(&streams[at].weights, &group.model.head) {
                    return Err(PassError::Weights(error));
                }
                // A member's own head failed: the others of this size go again without it.
                group.members[i].failure = Some(error);
                inputs[i] = None;
                return run(executor, group, chunk, against, inputs, monitor);
            }
            Err((_, error)) => return Err(error),
        };
        for (i, &member) in members.iter().enumerate() {
            results[member] = Some(collect(chunk, &numbers[first + i], kl));
        }
    }
    Ok(results)
}

/// A row's numbers out of the head's.
fn collect(chunk: &Chunk, numbers: &HeadNumbers, kl: bool) -> Vec<RowResult> {
    let kl_of = |row: u32| numbers.kl[row as usize];
    chunk
        .outputs
        .iter()
        .map(|outputs| RowResult {
            nll: numbers.nll[outputs.targets.clone()].to_vec(),
            kl: if kl {
                outputs.kl.iter().map(|&row| kl_of(row)).collect()
            } else {
                Vec::new()
            },
        })
        .collect()
}
