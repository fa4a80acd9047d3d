//! Ids of objects: a hash of kind, length and content.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

/// The hash of a repository's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// 40 hexadecimal digits
    Sha1,
    /// 64 hexadecimal digits
    Sha256,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// a tree with its history
    Commit,
    /// a directory
    Tree,
    /// a file's content or a link's target
    Blob,
    /// a named object
    Tag,
}

/// An object's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    algorithm: Algorithm,
    /// Zeros behind the 20 of SHA-1.
    bytes: [u8; 32],
}

/// Why a text is not a commit's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no commit: {found}, expected all 40 or 64 hexadecimal digits of its id\nhelp: git rev-parse HEAD prints them"
)]
pub struct ParseObjectIdError {
    text: String,
    found: &'static str,
}

/// The content is one half of a collision of SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its content was made to have the same SHA-1 as another content")]
pub struct Collision;

impl Algorithm {
    /// Bytes of an id.
    pub fn len(self) -> usize {
        match self {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }

    /// Never.
    pub fn is_empty(self) -> bool {
        false
    }

    /// As git calls it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
        }
    }
}

impl Kind {
    /// As git writes it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

impl ObjectId {
    /// From an id's bytes; `None` if there are too few or too many.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<ObjectId> {
        let mut all = [0; 32];
        if bytes.len() != algorithm.len() {
            return None;
        }
        all[..bytes.len()].copy_from_slice(bytes);
        Some(ObjectId {
            algorithm,
            bytes: all,
        })
    }

    /// The id of an object's whole content, which is not hostile.
    pub fn of(algorithm: Algorithm, kind: Kind, content: &[u8]) -> ObjectId {
        let mut hasher = Hasher::plain(algorithm, kind, content.len() as u64);
        hasher.add(content);
        hasher.finish().expect("only a checked one can collide")
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.len()]
    }

    /// Its hash.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<ObjectId, ParseObjectIdError> {
        let wrong = |found| ParseObjectIdError {
            text: text.chars().take(100).collect(),
            found,
        };
        let algorithm = match text.len() {
            40 => Algorithm::Sha1,
            64 => Algorithm::Sha256,
            _ if !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                return Err(wrong("it is a part of an id"));
            }
            _ => return Err(wrong("it is a name")),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => *byte = (high << 4 | low) as u8,
                _ => return Err(wrong("it is a name")),
            }
        }
        Ok(ObjectId { algorithm, bytes })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hashes an object as it comes.
#[derive(Clone, Debug)]
pub struct Hasher(Inner);

#[derive(Clone, Debug)]
enum Inner {
    /// Notices contents that were made to collide, as git does: two commits of one id would be two programs.
    Checked(Box<sha1_checked::Sha1>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

impl Hasher {
    /// Of an object that somebody else made.
    pub fn checked(algorithm: Algorithm, kind: Kind, size: u64) -> Hasher {
        Hasher::begin(
            match algorithm {
                Algorithm::Sha1 => Inner::Checked(Box::new(sha1_checked::Sha1::new())),
                Algorithm::Sha256 => Inner::Sha256(sha2::Sha256::new()),
            },
            kind,
            size,
        )
    }

    /// Of an object whose content was looked at before.
    pub fn plain(algorithm: Algorithm, kind: Kind, size: u64) -> Hasher {
        Hasher::begin(Inner::of(algorithm), kind, size)
    }

    fn begin(inner: Inner, kind: Kind, size: u64) -> Hasher {
        let mut hasher = Hasher(inner);
        hasher.add(format!("{} {size}\0", kind.name()).as_bytes());
        hasher
    }

    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Checked(hasher) => sha1_checked::Digest::update(&mut **hasher, bytes),
            Inner::Sha1(hasher) => hasher.update(bytes),
            Inner::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The id of what was added.
    ///
    /// # Errors
    /// `Collision` where it was made to collide.
    pub fn finish(self) -> Result<ObjectId, Collision> {
        let (algorithm, bytes) = match self.0 {
            Inner::Checked(hasher) => {
                let result = hasher.try_finalize();
                if result.has_collision() {
                    return Err(Collision);
                }
                (Algorithm::Sha1, result.hash().to_vec())
            }
            Inner::Sha1(hasher) => (Algorithm::Sha1, hasher.finalize().to_vec()),
            Inner::Sha256(hasher) => (Algorithm::Sha256, hasher.finalize().to_vec()),
        };
        Ok(ObjectId::from_bytes(algorithm, &bytes).expect("a hash has its hash's length"))
    }
}

impl Inner {
    fn of(algorithm: Algorithm) -> Inner {
        match algorithm {
            Algorithm::Sha1 => Inner::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Inner::Sha256(sha2::Sha256::new()),
        }
    }
}

/// Hashes bytes that are no object: a pack.
#[derive(Clone, Debug)]
pub(super) struct Sum(Inner);

impl Sum {
    pub(super) fn new(algorithm: Algorithm) -> Sum {
        Sum(Inner::of(algorithm))
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Checked(_) => {}
            Inner::Sha1(hasher) => hasher.update(bytes),
            Inner::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self.0 {
            Inner::Checked(_) => Vec::new(),
            Inner::Sha1(hasher) => hasher.finalize().to_vec(),
            Inner::Sha256(hasher) => hasher.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As `git hash-object` and `git mktree </dev/null` print them.
    const EMPTY_BLOB: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
    const HELLO_256: &str = "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4";

    #[test]
    fn ids_are_gits() {
        let sha1 = |kind, content: &[u8]| ObjectId::of(Algorithm::Sha1, kind, content).to_string();
        assert_eq!(sha1(Kind::Blob, b""), EMPTY_BLOB);
        assert_eq!(sha1(Kind::Tree, b""), EMPTY_TREE);
        assert_eq!(sha1(Kind::Blob, b"hello\n"), HELLO);
        let id = ObjectId::of(Algorithm::Sha256, Kind::Blob, b"hello\n");
        assert_eq!(id.to_string(), HELLO_256);
        let mut checked = Hasher::checked(Algorithm::Sha1, Kind::Blob, 6);
        checked.add(b"hel");
        checked.add(b"lo\n");
        assert_eq!(
            checked.finish().map(|id| id.to_string()),
            Ok(HELLO.to_owned())
        );
    }

    #[test]
    fn only_whole_ids_are_ids() {
        assert_eq!(HELLO.parse::<ObjectId>().unwrap().to_string(), HELLO);
        let upper = HELLO.to_uppercase().parse::<ObjectId>().unwrap();
        assert_eq!(upper.to_string(), HELLO);
        assert_eq!(
            HELLO_256.parse::<ObjectId>().unwrap().algorithm(),
            Algorithm::Sha256
        );
        for wrong in [
            "",
            "main",
            "HEAD",
            "ce01362",
            &HELLO[1..],
            &HELLO.replace('c', "g"),
            "refs/heads/main",
            "--upload-pack=x",
        ] {
            assert!(wrong.parse::<ObjectId>().is_err(), "{wrong}");
        }
    }
}
