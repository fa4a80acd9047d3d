//! Accounts, time, events, and the beacon's pulses that the chain has stored.

use super::Snapshot;
use crate::AccountId;
use crate::node::client::ReadError;
use crate::node::events::Event;
use crate::node::items;
use crate::node::rpc::shown;
use crate::timelock::BeaconSignature;
use parity_scale_codec::Encode;
use serde::Serialize;
use serde_json::json;

/// An account's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AccountState {
    /// How many extrinsics of it are in blocks.
    pub nonce: u32,
    /// What it can spend, rao.
    pub free_rao: u64,
}

type Account = (u32, u32, u32, u32, (u64, u64, u64, u128));
type Pulse = (u64, Vec<u8>, Vec<u8>);

impl Snapshot<'_> {
    /// An account's row; zeros for one that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn account(&self, account: AccountId) -> Result<AccountState, ReadError> {
        let (nonce, _, _, _, (free_rao, ..)) = self
            .one::<Account>(items::ACCOUNT, &[&account.0])?
            .unwrap_or_default();
        Ok(AccountState { nonce, free_rao })
    }

    /// Milliseconds since 1970, as the block's author had it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn timestamp_ms(&self) -> Result<u64, ReadError> {
        Ok(self.one(items::NOW, &[])?.unwrap_or_default())
    }

    /// The block's events.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn events(&self) -> Result<Vec<Event>, ReadError> {
        let key = crate::node::capabilities::storage_prefix("System", "Events");
        let params = json!([crate::hex::encode(&key), self.block().hash]);
        let json = self
            .node()
            .call("state_getStorage", params)
            .map_err(ReadError::Rpc)?;
        let bytes = match &json {
            serde_json::Value::Null => vec![0],
            other => other
                .as_str()
                .and_then(crate::node::block::bytes_of)
                .ok_or_else(|| {
                    self.node()
                        .malformed("System.Events", "bytes", shown(&json.to_string()))
                })?,
        };
        let runtime = self.stored_by().runtime();
        runtime
            .decode_events(&bytes)
            .map_err(|source| ReadError::Decode {
                url: self.node().url().to_owned(),
                what: "System.Events".into(),
                source,
            })
    }

    /// The newest round of the beacon that the chain has stored; `None` if its runtime stores none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn last_stored_round(&self) -> Result<Option<u64>, ReadError> {
        let answers = self.fetch(&[(items::LAST_STORED_ROUND, &[])])?;
        answers.optional(items::LAST_STORED_ROUND)
    }

    /// The signature of one of the beacon's rounds, not verified; `None` if the chain has not stored it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn pulse_signature(&self, round: u64) -> Result<Option<BeaconSignature>, ReadError> {
        let pulse: Option<Pulse> = self.one(items::PULSES, &[&round.encode()])?;
        let Some((found, _, signature)) = pulse else {
            return Ok(None);
        };
        let length = signature.len();
        match <[u8; 48]>::try_from(signature) {
            Ok(signature) if found == round => Ok(Some(BeaconSignature(signature))),
            _ => Err(self.node().malformed(
                "Drand.Pulses",
                &format!("48 bytes for round {round}"),
                format!("{length} bytes for round {found}"),
            )),
        }
    }
}
