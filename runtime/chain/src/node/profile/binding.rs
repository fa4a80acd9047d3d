//! State directories, each of which belongs to one network for good.

use super::{Network, Profile, ProfileError};
use crate::Hash;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

/// The file that says whose a state directory is.
const FILE_NAME: &str = "chain.json";
/// The longest such file, in bytes.
const FILE_BYTES_MAX: u64 = 4_096;
/// Its version.
const FILE_VERSION: u32 = 1;

/// Whose a state directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The file's version.
    version: u32,
    /// The network.
    pub network: Network,
    /// Its first block.
    pub genesis: Hash,
    /// The subnet.
    pub netuid: u16,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "network {} with genesis {} and netuid {}",
            self.network, self.genesis, self.netuid
        )
    }
}

impl Profile {
    /// Makes a state directory this profile's, if it is nobody's yet; refuses one that is another's.
    ///
    /// Of several processes that do so at once, one decides. A crash leaves a directory that is bound or not.
    ///
    /// # Errors
    /// `OtherBinding`, `Malformed`, `File`; `Genesis` and `NotLocal` before anything is written.
    pub fn bind(&self, directory: &Path, genesis: Hash) -> Result<Binding, ProfileError> {
        self.check_genesis("the node", genesis)?;
        let asked = Binding {
            version: FILE_VERSION,
            network: self.network,
            genesis,
            netuid: self.netuid,
        };
        let path = directory.join(FILE_NAME);
        let file = |source| ProfileError::File {
            path: path.clone(),
            source,
        };
        if !path.try_exists().map_err(file)? {
            write_new(directory, &path, &asked).map_err(file)?;
        }
        let bound = read(&path)?;
        if bound != asked {
            return Err(ProfileError::OtherBinding { path, bound, asked });
        }
        Ok(bound)
    }
}

impl Binding {
    /// Whose a directory is; `None` if it is nobody's yet.
    ///
    /// # Errors
    /// `Malformed`, `File`.
    pub fn of(directory: &Path) -> Result<Option<Self>, ProfileError> {
        let path = directory.join(FILE_NAME);
        match path.try_exists() {
            Ok(true) => read(&path).map(Some),
            Ok(false) => Ok(None),
            Err(source) => Err(ProfileError::File { path, source }),
        }
    }
}

fn read(path: &Path) -> Result<Binding, ProfileError> {
    let mut bytes = Vec::new();
    let file = |source| ProfileError::File {
        path: path.to_owned(),
        source,
    };
    crate::plain_file::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(file)?;
    let parsed = serde_json::from_slice::<Binding>(&bytes).ok();
    parsed
        .filter(|binding| binding.version == FILE_VERSION && bytes.len() as u64 <= FILE_BYTES_MAX)
        .ok_or_else(|| ProfileError::Malformed {
            path: path.to_owned(),
        })
}

/// Writes aside, syncs, and links to the name, which fails if another was faster.
fn write_new(directory: &Path, path: &Path, binding: &Binding) -> io::Result<()> {
    let aside = directory.join(format!("{FILE_NAME}.{}", std::process::id()));
    let mut text = serde_json::to_vec_pretty(binding).expect("plain data");
    text.push(b'\n');
    let written = (|| {
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        match std::fs::hard_link(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    // What is left of a failed write is nobody's.
    let removed = std::fs::remove_file(&aside);
    written?;
    removed?;
    std::fs::File::open(directory)?.sync_all()
}
