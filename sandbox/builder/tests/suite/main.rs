//! Builds as a whole: a base of busybox, commands in the sandbox, images that other programs read.
//!
//! Needs root and busybox (package busybox-static); judges need umoci and skopeo. Without them a test says so and passes.

mod adding;
mod caching;
mod copying;
mod hostile;
mod judges;
mod killed;
mod mounts;
mod running;
mod world;
mod yard;
