use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something of a layer that was left out or changed, and that its author may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A device node: none is ever made.
    DeviceSkipped,
    /// A socket: an archive cannot hold one.
    SocketSkipped,
    /// An attribute outside `user.*`, or one that overlay reads.
    AttributeDropped,
    /// An owner, as the process is not root.
    OwnerNotKept,
    /// An owner above 65 535, which no job's range of ids maps.
    OwnerUnmapped,
    /// A whiteout below something of its own layer that is no directory, and so hides everything there already.
    WhiteoutMoot,
    /// A directory that no entry describes.
    ParentImplied,
    /// A global extended header.
    GlobalHeaderIgnored,
}

/// How often each [`Note`] was taken, with the first few names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes(BTreeMap<Note, Noted>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    count: u64,
    first: Vec<String>,
}

const FIRST_MAX: usize = 8;

impl Notes {
    pub(crate) fn take(&mut self, note: Note, name: &[u8]) {
        let noted = self.0.entry(note).or_default();
        noted.count += 1;
        if noted.first.len() < FIRST_MAX {
            noted.first.push(shown(name));
        }
    }

    /// How often.
    pub fn count(&self, note: Note) -> u64 {
        self.0.get(&note).map_or(0, |noted| noted.count)
    }

    /// The first names, at most eight.
    pub fn first(&self, note: Note) -> &[String] {
        self.0.get(&note).map_or(&[], |noted| &noted.first)
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A hostile name for people: escaped and cut.
pub(crate) fn shown(name: &[u8]) -> String {
    const SHOWN_MAX: usize = 160;
    let cut = &name[..name.len().min(SHOWN_MAX)];
    let mut out: String = cut.escape_ascii().to_string();
    if name.len() > SHOWN_MAX {
        out.push_str(&format!("... ({} bytes)", name.len()));
    }
    out
}
