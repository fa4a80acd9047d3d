//! An order in which every stage comes after those that it needs.

use super::{Base, PlannedStage};

/// The stages that `target` needs and itself, in order; or a circle, its first stage twice.
pub(super) fn order(stages: &[PlannedStage], target: usize) -> Result<Vec<usize>, Vec<usize>> {
    let needs = |index: usize| {
        let base = match stages[index].base {
            Base::Stage(base) => Some(base),
            _ => None,
        };
        base.into_iter().chain(stages[index].copies.iter().copied())
    };
    let mut done = vec![false; stages.len()];
    let mut order = Vec::new();
    // Stages that are being looked at, with what is still to be looked at: no recursion, however long the chain.
    let mut path: Vec<(usize, Vec<usize>)> = vec![(target, needs(target).collect())];
    while let Some((index, open)) = path.last_mut() {
        let index = *index;
        let Some(next) = open.pop() else {
            done[index] = true;
            order.push(index);
            path.pop();
            continue;
        };
        if let Some(start) = path.iter().position(|(i, _)| *i == next) {
            let circle = path[start..].iter().map(|(i, _)| *i);
            return Err(circle.chain([next]).collect());
        }
        if !done[next] {
            path.push((next, needs(next).collect()));
        }
    }
    Ok(order)
}
