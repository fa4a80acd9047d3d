//! Extrinsics that wait for a block, and why one is refused.

use super::State;
use super::report::Submission;
use crate::extrinsic::Extrinsic;
use crate::fault::RpcError;
use crate::rules;
use crate::runtime::Key;
use crate::storage::Storage;
use serde_json::json;
use std::collections::HashSet;

/// Why the runtime calls an extrinsic invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    /// Its nonce was used.
    Stale,
    /// Not what the account signed, for this chain, runtime and era.
    BadProof,
    /// Signed over a block that the chain does not remember.
    AncientBirthBlock,
    /// A call that the double does not run.
    Call,
    /// The subnets' own reasons.
    Custom(u8),
}

impl Invalid {
    pub(super) fn to_error(self) -> RpcError {
        let data = match self {
            Self::Stale => "Transaction is outdated",
            Self::BadProof => "Transaction has a bad signature",
            Self::AncientBirthBlock => "Transaction has an ancient birth block",
            Self::Call => "Transaction call is not expected",
            Self::Custom(number) => return RpcError::custom(number),
        };
        RpcError::new(1010, "Invalid Transaction", data)
    }
}

/// Until when an extrinsic is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It is not.
    None,
    /// Before this block.
    Until(u32),
    /// For good, by the endpoint that has it.
    Swallowed,
}

/// An extrinsic that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) extrinsic: Extrinsic,
    pub(super) hold: Hold,
    endpoint: usize,
}

/// Extrinsics that wait, in order of arrival, and those that are known to be done with.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) waiting: Vec<Waiting>,
    /// Included or invalid: refused for a while if they come again.
    pub(super) banned: HashSet<[u8; 32]>,
}

impl State {
    /// Takes an extrinsic, or says why not. The attempt is recorded either way.
    pub(crate) fn submit(
        &mut self,
        bytes: &[u8],
        endpoint: usize,
        hold: Hold,
    ) -> Result<[u8; 32], RpcError> {
        let runtime = self.best_storage().runtime();
        let extrinsic = match Extrinsic::decode(runtime, bytes) {
            Ok(extrinsic) => extrinsic,
            Err(malformed) => {
                return Err(RpcError::new(
                    1001,
                    "Extrinsic has invalid format",
                    &malformed.0,
                ));
            }
        };
        let result = self.pool_check(&extrinsic, endpoint);
        self.submissions.push(Submission {
            hash: extrinsic.hash,
            account: extrinsic.account,
            nonce: extrinsic.nonce,
            call: extrinsic.call.clone(),
            endpoint,
            best_number: self.best_number(),
            result: result.clone(),
        });
        result?;
        let hash = extrinsic.hash;
        self.pool
            .waiting
            .retain(|waiting| waiting.extrinsic.hash != hash);
        let ready = extrinsic.nonce == self.next_nonce(extrinsic.account, endpoint);
        self.pool.waiting.push(Waiting {
            extrinsic,
            hold,
            endpoint,
        });
        self.status(hash, json!(if ready { "ready" } else { "future" }));
        Ok(hash)
    }

    fn pool_check(&mut self, extrinsic: &Extrinsic, endpoint: usize) -> Result<(), RpcError> {
        if self.pool.banned.contains(&extrinsic.hash) {
            return Err(RpcError::banned());
        }
        // What an endpoint swallowed, the others have never seen.
        let seen =
            |waiting: &&Waiting| waiting.hold != Hold::Swallowed || waiting.endpoint == endpoint;
        let same_nonce = |waiting: &&Waiting| {
            waiting.extrinsic.account == extrinsic.account
                && waiting.extrinsic.nonce == extrinsic.nonce
        };
        let known = self.pool.waiting.iter().filter(seen).find(same_nonce);
        match known.map(|waiting| waiting.extrinsic.hash) {
            Some(hash) if hash == extrinsic.hash => {
                return Err(RpcError {
                    code: 1013,
                    message: "Transaction Already Imported".into(),
                    data: None,
                });
            }
            Some(_) => {
                return Err(RpcError::new(
                    1014,
                    "Priority is too low: (0 vs 0)",
                    "The transaction has too low priority to replace another transaction already in the pool.",
                ));
            }
            None => {}
        }
        let number = self.best_number() + 1;
        let storage = self.best_storage().clone();
        let valid = self.validate(&storage, extrinsic, number);
        valid.map_err(Invalid::to_error)
    }

    /// Whether an extrinsic may be in the block with this number, on top of `storage`. Nonces ahead are the pool's matter.
    pub(super) fn validate(
        &self,
        storage: &Storage,
        extrinsic: &Extrinsic,
        block_number: u32,
    ) -> Result<(), Invalid> {
        let birth = extrinsic.era.birth(u64::from(block_number));
        let birth_hash = u32::try_from(birth)
            .ok()
            .and_then(|birth| self.hash_at(birth))
            .ok_or(Invalid::AncientBirthBlock)?;
        let genesis = self.canonical[0];
        let payload = extrinsic.payload(storage.runtime(), genesis, birth_hash);
        if !extrinsic.verifies(&payload) {
            return Err(Invalid::BadProof);
        }
        if extrinsic.nonce < nonce(storage, extrinsic.account) {
            return Err(Invalid::Stale);
        }
        if matches!(extrinsic.call, crate::call::Call::Other { .. }) {
            return Err(Invalid::Call);
        }
        rules::pool::check(
            storage,
            extrinsic.account,
            &extrinsic.call,
            u64::from(block_number),
        )
        .map_err(|error| Invalid::Custom(rules::pool::code(error)))
    }

    /// The nonce that an account's next extrinsic has, counting those that wait at an endpoint.
    pub(crate) fn next_nonce(&self, account: [u8; 32], endpoint: usize) -> u32 {
        let mut next = nonce(self.best_storage(), account);
        let waits = |next: u32| {
            self.pool.waiting.iter().any(|waiting| {
                let seen = waiting.hold != Hold::Swallowed || waiting.endpoint == endpoint;
                seen && waiting.extrinsic.account == account && waiting.extrinsic.nonce == next
            })
        };
        while waits(next) {
            next += 1;
        }
        next
    }

    /// Bytes of what waits at an endpoint.
    pub(crate) fn pending(&self, endpoint: usize) -> Vec<Vec<u8>> {
        let waiting = self.pool.waiting.iter();
        waiting
            .filter(|waiting| waiting.hold != Hold::Swallowed || waiting.endpoint == endpoint)
            .map(|waiting| waiting.extrinsic.bytes.clone())
            .collect()
    }

    /// Forgets an extrinsic that will never be in a block.
    pub(super) fn drop_extrinsic(&mut self, hash: [u8; 32], status: &str, why: &str) {
        self.pool
            .waiting
            .retain(|waiting| waiting.extrinsic.hash != hash);
        self.dropped.push((hash, why.to_owned()));
        self.status(hash, json!(status));
    }
}

/// How many extrinsics of an account are in blocks.
pub(crate) fn nonce(storage: &Storage, account: [u8; 32]) -> u32 {
    use scale_value::At;
    let key = storage
        .runtime()
        .key(("System", "Account"), &[Key::Account(account)]);
    let Some(bytes) = storage.raw(&key) else {
        return 0;
    };
    let info: scale_value::Value<u32> = storage
        .runtime()
        .decode_value(("System", "Account"), &bytes);
    let nonce = info.at("nonce").and_then(|nonce| nonce.as_u128());
    nonce.expect("an account has a nonce") as u32
}
