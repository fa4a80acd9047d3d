//! Sources of the kernels, embedded by `build.rs`.

/// One `.cu` file.
#[derive(Debug)]
pub(super) struct Source {
    /// The module's name: the family's, with `_sm90` for `kernel_sm90.cu`.
    pub(super) name: &'static str,
    /// Path below `kernels/`, as compilers print it.
    pub(super) path: &'static str,
    /// The file's text.
    pub(super) text: &'static str,
    /// Headers, at any depth, by the name they are included by.
    pub(super) includes: &'static [&'static str],
    /// SHA-256 of the text and the headers.
    pub(super) hash: [u8; 32],
}

include!(concat!(env!("OUT_DIR"), "/kernel_sources.rs"));

impl Source {
    /// Whether it is for `sm_90a` alone.
    pub(super) fn is_hopper(&self) -> bool {
        self.path.ends_with("kernel_sm90.cu")
    }

    /// Names and texts of the headers.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        HEADERS
            .iter()
            .copied()
            .filter(|(name, _)| self.includes.contains(name))
    }
}

/// The source of a module.
pub(super) fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}
