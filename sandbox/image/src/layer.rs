//! Archives of layers to directories and back.
//!
//! A layer's archive was written by someone we do not trust, and is applied by a process with rights. No path of it is
//! handed to the kernel as it stands: its parent is opened beneath the layer's root by `openat2`, its last component is never
//! followed, and what was made of it is seen by nobody before its digests are verified.
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`decode`] | compressed bytes | an archive, under a cap of bytes and of their ratio, both digests taken on the way |
//! | `archive`, `pax`, `sparse` | an archive | entries: blocks, extended headers, holes |
//! | `path` | a name | components that stay inside |
//! | `tree` | a path | its parent's descriptor; knows how deep each directory really lies |
//! | [`apply()`] | entries | files with their owners; whiteouts as overlay wants them |
//! | [`export()`] | an overlay's upper directory | an archive, the same one each time |
//! | [`is_archive`] | some bytes | whether they are an archive |
//! | [`remove`] | a tree of any depth | nothing |
//!
//! Of the `tar` crate the header's fields are used, not the iterator: that one reads a long name or an extended header of
//! any length into memory.
//!
//! # What a layer keeps and what it loses
//!
//! Kept: files, directories, symbolic links, hard links to files and links of the same layer, fifos; owners (by root),
//! modes with setuid bits (every mount of a layer is `nosuid`), times in nanoseconds, `user.*` attributes. Lost, each with a
//! [`Note`]: devices, attributes of other namespaces (`security.capability` too), `user.overlay.*`, which would steer the
//! kernel's overlay, and owners where the process is not root.
//!
//! A parent that the archive does not list becomes 0755 and root's; a layer beneath may have had it otherwise. The kernel then
//! shows ours: [`Applied::notes`] says how many there were.

mod apply;
mod archive;
mod caps;
pub mod decode;
mod error;
pub mod export;
mod header;
mod note;
mod path;
mod pax;
mod probe;
pub mod remove;
mod sparse;
mod tree;

pub use apply::{Applied, Expected, apply, verify};
pub use caps::LayerCaps;
pub use decode::Compression;
pub use error::{ApplyLayerError, ExportLayerError};
pub use export::{ExportOptions, Exported, Owners, export, export_from};
pub use note::{Note, Notes};
pub use probe::is_archive;
pub use remove::remove_tree;

pub(crate) use archive::{Archive, ArchiveError, EntryKind};
