//! Why an image is not pulled.

use gradus_image::layer::ApplyLayerError;
use gradus_image::layout::ParseImageError;
use gradus_image::store::{PutBlobError, PutLayerError, StoreError};
use gradus_image::{Digest, Owner};

use crate::net::NetError;

/// Why an image is not pulled. Layers that were taken before stay, until they are collected; nothing else is left.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum PullError {
    #[error("{server} has no {what}\nhelp: check the image's name and tag")]
    NotFound { server: String, what: String },
    #[error(
        "{server} does not give {what} to {}\nhelp: check the image's name; for a private one log in with docker login or podman login",
        if *.with_login { "this login" } else { "anybody: there is no login for it" }
    )]
    Denied {
        server: String,
        what: String,
        with_login: bool,
    },
    #[error(
        "{server} wants a proof that is not known here: {asked:?}\nhelp: a registry has to ask for Basic or Bearer"
    )]
    Challenge { server: String, asked: String },
    #[error("{server} sends to {realm:?} for a token, and gets none there: {reason}")]
    Token {
        server: String,
        realm: String,
        reason: &'static str,
    },
    #[error("{what} of {server} cannot be used")]
    Document {
        server: String,
        what: String,
        #[source]
        source: ParseImageError,
    },
    #[error("{what} of {server} is {found}, {expected} was asked for or announced")]
    DocumentDigest {
        server: String,
        what: String,
        expected: Digest,
        found: Digest,
    },
    #[error("{what} of {server} has {found} bytes, {expected} were announced")]
    DocumentSize {
        server: String,
        what: String,
        expected: u64,
        found: u64,
    },
    #[error(
        "{what} of {server} is {found:?}, which is neither an image nor an index of images\nhelp: only images in OCI's form or Docker's second are known"
    )]
    Kind {
        server: String,
        what: String,
        found: String,
    },
    #[error("there is no image for {wanted}, only for {}\nhelp: build it for {wanted}", .found.join(", "))]
    NoPlatform { wanted: String, found: Vec<String> },
    #[error(
        "the configuration says that there are {diff_ids} layers, the manifest lists {layers}\nhelp: build the image again"
    )]
    Layers { diff_ids: usize, layers: usize },
    #[error(
        "layer {digest} is of type {media_type:?}, which is no archive of ours\nhelp: use tar, tar+gzip or tar+zstd"
    )]
    LayerType { digest: Digest, media_type: String },
    #[error("{what} has {found} bytes, the limit is {limit}\nhelp: make the image smaller")]
    TooLarge {
        what: String,
        found: u64,
        limit: u64,
    },
    #[error("{server} sends {found} for {digest}, {expected} was asked for")]
    Range {
        server: String,
        digest: Digest,
        expected: String,
        found: String,
    },
    #[error("blob {digest} cannot be taken")]
    Blob {
        digest: Digest,
        #[source]
        source: PutBlobError,
    },
    #[error(transparent)]
    Layer(#[from] PutLayerError),
    #[error("layer {digest} is not what the configuration says")]
    Verify {
        digest: Digest,
        #[source]
        source: ApplyLayerError,
    },
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a mirror is no URL of a server: {mirror:?}\nhelp: such as https://mirror.example.com")]
    Mirror { mirror: String },
    #[error("another layer failed")]
    Stopped,
}

impl PullError {
    /// The submission's where it names what is not there or what is wrong, the host's where the way there or the store failed.
    pub fn owner(&self) -> Owner {
        match self {
            PullError::Net(source) => source.owner(),
            PullError::Blob { source, .. } => source.owner(),
            PullError::Layer(source) => source.owner(),
            PullError::Verify { source, .. } => source.owner(),
            PullError::Store(_) | PullError::Mirror { .. } => Owner::Host,
            PullError::Token { .. } | PullError::Range { .. } => Owner::Host,
            PullError::Stopped => Owner::Bug,
            _ => Owner::Submission,
        }
    }
}
