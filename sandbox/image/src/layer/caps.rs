/// How much of everything one layer may be. The caller sets the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerCaps {
    /// Bytes of the blob.
    pub compressed_bytes: u64,
    /// Bytes of the archive, and of its files with their holes filled.
    pub unpacked_bytes: u64,
    /// Entries, and directories that are made because an entry needs them.
    pub entries: u64,
    /// Directories above an entry, counted where it really lies.
    pub depth: u32,
    /// Bytes of an archive per byte of its blob.
    pub ratio: u64,
    /// The ratio is looked at past so many bytes: an empty archive compresses 200-fold.
    pub ratio_from_bytes: u64,
}

impl Default for LayerCaps {
    fn default() -> LayerCaps {
        LayerCaps {
            compressed_bytes: 32 << 30,
            unpacked_bytes: 64 << 30,
            entries: 2_000_000,
            depth: 256,
            ratio: 200,
            ratio_from_bytes: 16 << 20,
        }
    }
}

/// Longest path, as the kernel has it, without its NUL.
pub(crate) const PATH_BYTES_MAX: usize = 4095;
/// Longest component.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// Longest extended header or long name that is read; attributes may be 64 KiB each.
pub(crate) const EXTENDED_BYTES_MAX: u64 = 1 << 20;
