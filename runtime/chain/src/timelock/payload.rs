//! What a commit hides: hotkey, uids, values and version key, in SCALE.

use crate::AccountId;
use gradus_owner::Owner;
use parity_scale_codec::{DecodeAll, Encode};

/// Weights as the chain sets them when a commit opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsPayload {
    /// Whose weights: the chain drops a commit that another hotkey made.
    pub hotkey: AccountId,
    /// Uids, in order of the vector.
    pub uids: Vec<u16>,
    /// One value for each uid.
    pub values: Vec<u16>,
    /// The validator's version.
    pub version_key: u64,
}

/// Why a payload is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Unequal vectors.
    #[error("the payload has {uids} uids and {values} values, the chain would drop it: pair them")]
    Length {
        /// Number of uids.
        uids: usize,
        /// Number of values.
        values: usize,
    },
    /// Not SCALE of these fields, or something follows.
    #[error(
        "the payload is not hotkey, uids, values and version key in SCALE and nothing more: it was made by another program"
    )]
    Malformed,
    /// Not an account.
    #[error(
        "the payload's hotkey has {found} bytes, an account has 32: it was made by another program"
    )]
    Hotkey {
        /// Bytes found.
        found: usize,
    },
}

impl PayloadError {
    /// Whose fault: this program's, which makes and reads its own commits alone.
    pub fn owner(&self) -> Owner {
        Owner::Bug
    }
}

impl WeightsPayload {
    /// The bytes that are encrypted.
    ///
    /// # Errors
    /// [`PayloadError::Length`].
    pub fn encode(&self) -> Result<Vec<u8>, PayloadError> {
        self.check()?;
        Ok((
            &self.hotkey.0[..],
            &self.uids,
            &self.values,
            self.version_key,
        )
            .encode())
    }

    /// Reads what [`WeightsPayload::encode`] writes. Older payloads, without a hotkey, are not read.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        let mut rest = bytes;
        type Fields = (Vec<u8>, Vec<u16>, Vec<u16>, u64);
        let (hotkey, uids, values, version_key) =
            Fields::decode_all(&mut rest).map_err(|_| PayloadError::Malformed)?;
        let hotkey: [u8; 32] =
            hotkey
                .try_into()
                .map_err(|hotkey: Vec<u8>| PayloadError::Hotkey {
                    found: hotkey.len(),
                })?;
        let payload = Self {
            hotkey: AccountId(hotkey),
            uids,
            values,
            version_key,
        };
        payload.check()?;
        Ok(payload)
    }

    fn check(&self) -> Result<(), PayloadError> {
        if self.uids.len() != self.values.len() {
            return Err(PayloadError::Length {
                uids: self.uids.len(),
                values: self.values.len(),
            });
        }
        Ok(())
    }
}
