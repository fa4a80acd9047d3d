//! The double held to what real nodes said, to the chain's rules, and to its own promises about faults.

#![forbid(unsafe_code)]

mod client;
mod commits;
mod faults;
mod forks;
mod golden;
mod program;
mod reads;
mod sdk;
mod signer;
mod specs;
mod weights;
