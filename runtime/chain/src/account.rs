//! Accounts: an sr25519 public key and its ss58 address.
//!
//! An address is base58 of `prefix ‖ key ‖ checksum`, the checksum being the first two bytes of BLAKE2b-512 of `SS58PRE ‖ prefix ‖ key`.

use crate::hex;
use blake2::{Blake2b512, Digest};
use gradus_owner::Owner;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The chain's address prefix: the one byte before the key.
pub const SS58_PREFIX: u8 = 42;

/// The longest text that is looked at as an address, in bytes; those of this prefix have 47 or 48.
const ADDRESS_BYTES_MAX: usize = 64;

/// A public key, 32 bytes; shown, parsed and serialised as its ss58 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub [u8; 32]);

/// A text that is not an address of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// Not base58, or far too long.
    #[error(
        "the address {shown:?} is not base58 of 35 bytes: copy it again, it starts with 5 and has 47 or 48 characters"
    )]
    NotBase58 {
        /// Its beginning.
        shown: String,
    },
    /// Another length.
    #[error("the address {shown} holds {found} bytes, one of this chain holds 35: copy it again")]
    Length {
        /// The address.
        shown: String,
        /// Bytes it holds.
        found: usize,
    },
    /// Another network's.
    #[error(
        "the address {shown} has prefix {found}, this chain's is {SS58_PREFIX}: it belongs to another network"
    )]
    Prefix {
        /// The address.
        shown: String,
        /// Its first byte.
        found: u8,
    },
    /// A character was mistyped.
    #[error(
        "the checksum of the address {shown} is wrong: a character was changed or swapped, copy it again"
    )]
    Checksum {
        /// The address.
        shown: String,
    },
}

impl ParseAddressError {
    /// Whose fault: whoever wrote the address into what this host was given.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

impl AccountId {
    /// The ss58 address with prefix 42.
    pub fn to_ss58(&self) -> String {
        let mut bytes = [0; 35];
        bytes[0] = SS58_PREFIX;
        bytes[1..33].copy_from_slice(&self.0);
        let sum = checksum(&bytes[..33]);
        bytes[33..].copy_from_slice(&sum);
        bs58::encode(bytes).into_string()
    }

    /// Lower-case hexadecimal with `0x`.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// Two bytes over prefix and key.
fn checksum(prefix_and_key: &[u8]) -> [u8; 2] {
    let hash = Blake2b512::new()
        .chain_update(b"SS58PRE")
        .chain_update(prefix_and_key)
        .finalize();
    [hash[0], hash[1]]
}

impl FromStr for AccountId {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let shown = || text.chars().take(ADDRESS_BYTES_MAX).collect::<String>();
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(ParseAddressError::NotBase58 { shown: shown() });
        }
        let bytes = bs58::decode(text)
            .into_vec()
            .map_err(|_| ParseAddressError::NotBase58 { shown: shown() })?;
        let bytes: [u8; 35] =
            bytes
                .try_into()
                .map_err(|bytes: Vec<u8>| ParseAddressError::Length {
                    shown: shown(),
                    found: bytes.len(),
                })?;
        if bytes[0] != SS58_PREFIX {
            return Err(ParseAddressError::Prefix {
                shown: shown(),
                found: bytes[0],
            });
        }
        if bytes[33..] != checksum(&bytes[..33]) {
            return Err(ParseAddressError::Checksum { shown: shown() });
        }
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[1..33]);
        Ok(Self(key))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_ss58())
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from a node of the chain (tests/golden/README.md).
    const KNOWN: [(&str, &str); 4] = [
        (
            "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
        ),
        (
            "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
            "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
        ),
        (
            "90b5ab205c6974c9ea841be688864633dc9ca8a357843eeacf2314649965fe22",
            "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y",
        ),
        (
            "b220508024ce70b0dd91910806fbda4614701cb762f669276fe978636c4ff80c",
            "5G6Fyo6U2fDhJXDJGp4Dr6XViVCdPcryiyLBDsusguSRcYvJ",
        ),
    ];

    #[test]
    fn addresses_recorded_from_a_node_are_read_and_written() {
        for (key, address) in KNOWN {
            let account = AccountId(hex::decode(key).expect("32 bytes"));
            assert_eq!(account.to_ss58(), address);
            assert_eq!(address.parse(), Ok(account));
        }
    }

    #[test]
    fn a_changed_character_is_refused_wherever_it_is() {
        let address = KNOWN[0].1;
        for at in 0..address.len() {
            let other = if &address[at..=at] == "x" { "y" } else { "x" };
            let changed = format!("{}{other}{}", &address[..at], &address[at + 1..]);
            assert!(changed.parse::<AccountId>().is_err(), "{changed}");
        }
    }

    #[test]
    fn what_is_no_address_of_this_chain_says_why() {
        let parse = |text: &str| text.parse::<AccountId>().expect_err("not an address");
        assert!(matches!(parse("0OIl"), ParseAddressError::NotBase58 { .. }));
        assert!(matches!(
            parse(&"5".repeat(1 << 20)),
            ParseAddressError::NotBase58 { .. }
        ));
        assert!(matches!(
            parse(""),
            ParseAddressError::Length { found: 0, .. }
        ));
        // The same key on Polkadot, whose prefix is 0.
        let polkadot = parse("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5");
        assert!(
            matches!(polkadot, ParseAddressError::Prefix { found: 0, .. }),
            "{polkadot}"
        );
    }
}
