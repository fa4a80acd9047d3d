//! Archives that `ADD` unpacks: tar as it is, or with gzip or zstd around it. Anything else that is an archive is refused, not copied.

use std::io::BufReader;
use std::path::Path;

use gradus_image::context::{Context, Entry, EntryKind};
use gradus_image::layer::{Expected, LayerCaps, apply, is_archive};

use super::CopyError;
use crate::staging::StageError;
use crate::union::{Dir, Entry as Found, Union, shown};

/// Unpacks into directories of its own, below one that the build removes.
#[derive(Debug)]
pub(crate) struct Unpacker<'a> {
    pub(crate) scratch: &'a Path,
    pub(crate) caps: LayerCaps,
    pub(crate) unpacked: u32,
}

impl Unpacker<'_> {
    /// The tree of an archive; none where the entry is no archive.
    pub(super) fn unpack(
        &mut self,
        context: &Context,
        entry: &Entry,
    ) -> Result<Option<Union>, CopyError> {
        if !matches!(entry.kind, EntryKind::File { .. }) {
            return Ok(None);
        }
        self.unpacked += 1;
        let copy = self.scratch.join(format!("archive-{}", self.unpacked));
        let io = |step| {
            let path = copy.display().to_string();
            move |source| StageError::Io { step, path, source }
        };
        let mut file = std::fs::File::create_new(&copy).map_err(io("making"))?;
        context.read(entry, &mut file)?;
        let input = std::fs::File::open(&copy).map_err(io("reading"))?;
        if !is_archive(BufReader::new(input)) {
            std::fs::remove_file(&copy).map_err(io("removing"))?;
            return Ok(None);
        }
        let dir = self.scratch.join(format!("tree-{}", self.unpacked));
        let input = std::fs::File::open(&copy).map_err(io("reading"))?;
        apply(
            BufReader::new(input),
            &Expected::default(),
            &dir,
            &self.caps,
        )
        .map_err(|source| CopyError::Archive {
            path: entry.path.clone(),
            source,
        })?;
        let tree = Union::open(std::slice::from_ref(&dir))?;
        no_marks(&tree, &entry.path)?;
        Ok(Some(tree))
    }
}

/// A layer's marks mean something that an archive of files does not say.
fn no_marks(tree: &Union, archive: &str) -> Result<(), CopyError> {
    let check = |dir: &Dir| match dir.mark()? {
        None => Ok(()),
        Some(name) => Err(CopyError::Whiteout {
            path: archive.to_owned(),
            name: shown(&name),
        }),
    };
    check(tree.root())?;
    tree.root().walk(|_, entry, _| match entry {
        Found::Directory(dir) => check(dir),
        _ => Ok(()),
    })
}
