//! The ciphertext as the chain reads it.
//!
//! ```text
//! U: 96 bytes | 32 | V: 32 bytes | 32 | W: 32 bytes | b | body: b bytes | 8 | "AES_GCM_"
//! body = n | AES-256-GCM of the payload, n bytes with its tag | 12 | nonce: 12 bytes          lengths: u64, little-endian
//! ```
//!
//! The crate that encrypts has another layout, and its parser believes the lengths it reads: it reserves what they say. So this one is by hand.

use gradus_owner::Owner;

/// The longest commit that the chain takes, in bytes.
pub const COMMIT_BYTES_MAX: usize = 5_000;
/// The version of the format, of which the chain takes the one that `CommitRevealWeightsVersion` says. What has another version is dropped at the reveal,
/// without a word, so a commit always carries this one: then the chain refuses it at once.
pub const COMMIT_VERSION: u16 = 4;
/// The one cipher.
const SUITE: &[u8; 8] = b"AES_GCM_";
/// Bytes of the cipher's tag.
pub(super) const TAG_BYTES: usize = 16;
/// Bytes that are neither the payload's nor its tag's.
const FRAME_BYTES: usize = 96 + 8 + 32 + 8 + 32 + 8 + 8 + 8 + 12 + 8 + 8;

/// A commit's parts. That `u` is a point is known only when it is decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    /// `U`, a compressed point of G2.
    pub u: [u8; 96],
    /// `V`.
    pub v: [u8; 32],
    /// `W`.
    pub w: [u8; 32],
    /// The payload under AES-256-GCM, its tag at the end.
    pub sealed: Vec<u8>,
    /// The cipher's nonce.
    pub nonce: [u8; 12],
}

/// Why bytes are no commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Above the chain's limit.
    #[error(
        "the commit has {found} bytes, the chain takes {COMMIT_BYTES_MAX}: fewer uids must have weight"
    )]
    TooLong {
        /// Bytes.
        found: usize,
    },
    /// Cut off.
    #[error("the commit ends within its {field}: it was cut off")]
    Short {
        /// The field.
        field: &'static str,
    },
    /// A length that is another.
    #[error(
        "the commit's {field} has a length of {found}, expected {expected}: it is not a timelocked commit"
    )]
    Length {
        /// The field.
        field: &'static str,
        /// As written.
        found: u64,
        /// What it has to be.
        expected: u64,
    },
    /// Another cipher.
    #[error("the commit's cipher is not AES-256-GCM: it was made by another program")]
    Suite,
    /// More than a commit.
    #[error("{found} bytes follow the commit: it is not a timelocked commit alone")]
    Trailing {
        /// Bytes.
        found: usize,
    },
}

impl WireError {
    /// Whose fault: this program's if its commit is too long, else the host's, which has other bytes than were committed.
    pub fn owner(&self) -> Owner {
        match self {
            Self::TooLong { .. } => Owner::Bug,
            _ => Owner::Host,
        }
    }
}

impl Ciphertext {
    /// The commit's bytes.
    ///
    /// # Errors
    /// [`WireError::TooLong`].
    pub fn to_wire(&self) -> Result<Vec<u8>, WireError> {
        let body = self.sealed.len() + 28;
        let found = FRAME_BYTES + self.sealed.len();
        if found > COMMIT_BYTES_MAX {
            return Err(WireError::TooLong { found });
        }
        let length = |length: usize| (length as u64).to_le_bytes();
        let mut wire = Vec::with_capacity(found);
        wire.extend(self.u);
        for hash in [&self.v, &self.w] {
            wire.extend(length(hash.len()));
            wire.extend(hash);
        }
        wire.extend(length(body));
        wire.extend(length(self.sealed.len()));
        wire.extend(&self.sealed);
        wire.extend(length(self.nonce.len()));
        wire.extend(self.nonce);
        wire.extend(length(SUITE.len()));
        wire.extend(SUITE);
        Ok(wire)
    }

    /// Reads a commit's bytes, all of them.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn from_wire(wire: &[u8]) -> Result<Self, WireError> {
        if wire.len() > COMMIT_BYTES_MAX {
            return Err(WireError::TooLong { found: wire.len() });
        }
        let mut rest = Reader(wire);
        let u = rest.array("U")?;
        rest.length("V", 32)?;
        let v = rest.array("V")?;
        rest.length("W", 32)?;
        let w = rest.array("W")?;
        let body = u64::from_le_bytes(rest.array("body")?);
        let sealed = u64::from_le_bytes(rest.array("sealed payload")?);
        if body.checked_sub(28) != Some(sealed) {
            let expected = sealed.saturating_add(28);
            return Err(WireError::Length {
                field: "body",
                found: body,
                expected,
            });
        }
        if sealed < TAG_BYTES as u64 {
            let expected = TAG_BYTES as u64;
            return Err(WireError::Length {
                field: "sealed payload",
                found: sealed,
                expected,
            });
        }
        let sealed = usize::try_from(sealed).unwrap_or(usize::MAX);
        let sealed = rest.bytes("sealed payload", sealed)?.to_vec();
        rest.length("nonce", 12)?;
        let nonce = rest.array("nonce")?;
        rest.length("cipher's name", 8)?;
        if &rest.array::<8>("cipher's name")? != SUITE {
            return Err(WireError::Suite);
        }
        match rest.0.len() {
            0 => Ok(Self {
                u,
                v,
                w,
                sealed,
                nonce,
            }),
            found => Err(WireError::Trailing { found }),
        }
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], WireError> {
        let (bytes, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(WireError::Short { field })?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let bytes = self.bytes(field, N)?;
        Ok(bytes.try_into().expect("as many as asked for"))
    }

    fn length(&mut self, field: &'static str, expected: u64) -> Result<(), WireError> {
        match u64::from_le_bytes(self.array(field)?) {
            found if found == expected => Ok(()),
            found => Err(WireError::Length {
                field,
                found,
                expected,
            }),
        }
    }
}
