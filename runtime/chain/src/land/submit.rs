//! Handing an extrinsic to every node.

use super::look::in_one_line;
use crate::node::{self, Endpoints, Node, PoolReason, SubmitError};
use crate::submission::{ChainError, Refusal};
use std::sync::Arc;

/// All nodes at once, so that one which hangs does not use up the era of what the others would have taken: once one has taken it, the others are
/// waited for no longer than at any question, and get it nevertheless.
pub(super) fn submit_to_each(
    endpoints: &Endpoints,
    extrinsic: &[u8],
) -> Result<Result<(), Refusal>, ChainError> {
    let signed = Arc::new(node::Signed {
        bytes: extrinsic.to_vec(),
        hash: crate::Hash::of(extrinsic),
    });
    let submit = move |node: &Node| {
        let spec_version = spec_version(node).unwrap_or_default();
        // The subscription ends here: what becomes of it is looked for.
        node.submit(&signed, spec_version).map(drop)
    };
    let (words, silent) = endpoints.with_each(submit, |words| words.iter().any(is_taken));
    if words.iter().any(is_taken) {
        return Ok(Ok(()));
    }
    let (mut refused, mut unknown) = (None, None);
    for word in words {
        match word {
            Ok(()) => {}
            Err(SubmitError::Refused { refusal, .. }) => {
                refused = refused.or(Some(Refusal::from(&refusal)));
            }
            Err(error) => unknown = unknown.or(Some(in_one_line(&error))),
        }
    }
    if silent > 0 {
        unknown = unknown.or(Some(format!("nodes that do not answer: {silent}")));
    }
    match (refused, unknown) {
        // One that did not answer may have taken what another refused.
        (_, Some(why)) => Err(ChainError::Unavailable { why }),
        (Some(refusal), None) => Ok(Err(refusal)),
        (None, None) => Err(ChainError::Unavailable {
            why: "there is no node".into(),
        }),
    }
}

/// A pool's numbers are read by its runtime; under 0 none has a meaning.
fn spec_version(node: &Node) -> Option<u32> {
    let head = node.best_head().ok()?;
    Some(node.runtime_version(head.hash).ok()?.spec_version)
}

fn is_taken(word: &Result<(), SubmitError>) -> bool {
    match word {
        Ok(()) => true,
        Err(SubmitError::Refused { refusal, .. }) => refusal.reason == PoolReason::AlreadyImported,
        Err(_) => false,
    }
}
