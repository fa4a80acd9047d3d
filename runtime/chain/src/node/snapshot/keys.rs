//! Who has which uid.

use super::Snapshot;
use crate::AccountId;
use crate::node::client::ReadError;
use crate::node::items;
use parity_scale_codec::Encode;

impl Snapshot<'_> {
    /// The hotkeys of uids, in their order; `None` for a uid that nobody has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn hotkeys(&self, netuid: u16, uids: &[u16]) -> Result<Vec<Option<AccountId>>, ReadError> {
        let netuid = netuid.encode();
        let num_uids: u16 = self
            .one(items::SUBNETWORK_N, &[&netuid])?
            .unwrap_or_default();
        let encoded: Vec<Vec<u8>> = uids.iter().map(Encode::encode).collect();
        let keys: Vec<Vec<&[u8]>> = encoded
            .iter()
            .map(|uid| vec![&netuid[..], &uid[..]])
            .collect();
        let found: Vec<Option<[u8; 32]>> = self.each(items::KEYS, &keys)?;
        // What is not stored has the item's default, which is nobody's key; what is beyond the end is stale.
        let held = |(uid, key): (&u16, Option<[u8; 32]>)| {
            let key = key.filter(|key| *uid < num_uids && *key != [0; 32])?;
            Some(AccountId(key))
        };
        Ok(uids.iter().zip(found).map(held).collect())
    }
}
