//! Images of registries, as the distribution specification has them.
//!
//! A registry, a mirror and whoever named the image are not trusted. A tag is resolved once; from there on everything is asked for by digest,
//! and nothing is in the store under a digest that was not computed here. Documents are those of [`gradus_image::layout`], under its limits.
//!
//! | module | is about |
//! |---|---|
//! | [`mod@reference`] | what an image is called |
//! | [`credentials`] | who we are to which registry |
//! | `challenge` | what a registry wants to know |
//! | `endpoint` | one registry or mirror: requests and tokens |
//! | `document` | from a name to manifest and configuration |
//! | `blob` | a blob's bytes over as many connections as it takes |
//! | `budget` | what the layers may unpack to together |
//! | `layers` | the layers of one image, several at once |
//! | [`pull`] | all of it, into a store |
//! | [`error`] | why an image is not pulled |

mod blob;
mod budget;
mod challenge;
pub mod credentials;
mod document;
mod endpoint;
pub mod error;
mod layers;
pub mod pull;
pub mod reference;

pub use challenge::{Challenge, parse_challenges, parse_token};
pub use credentials::{Credentials, CredentialsError};
pub use error::PullError;
pub use pull::{Mirror, PullEvent, PullOptions, Pulled, Puller};
pub use reference::{ParseReferenceError, Reference};
