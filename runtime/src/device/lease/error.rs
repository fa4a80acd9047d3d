//! Why there is no lease, and what did not come back from one.

use super::lock::Holder;
use crate::device::nvml::ReadError;
use crate::device::quarantine::Record;
use crate::device::state::StateError;
use crate::device::support::Support;

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Nothing is called so.
    #[error("there is no GPU {name:?}; there are: {known}\nhelp: `gradus doctor` lists them")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The beginning of several UUIDs.
    #[error("{name:?} begins the UUID of several GPUs: {}\nhelp: write more of it", among.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it can mean.
        among: Vec<String>,
    },
    /// One device twice.
    #[error("{uuid} is asked for twice")]
    Twice {
        /// Which.
        uuid: String,
    },
    /// A GPU that is cut into instances cannot be used whole.
    #[error("GPU {index} is cut into MIG instances\nhelp: ask for one of them: {}", instances.join(", "))]
    Cut {
        /// Which.
        index: u32,
        /// Its instances.
        instances: Vec<String>,
    },
    /// Another gradus process has it.
    #[error("{uuid} is leased by {holder}\nhelp: wait for it, or ask for another GPU")]
    Held {
        /// Which.
        uuid: String,
        /// By whom.
        holder: Holder,
    },
    /// It was not given back clean.
    #[error(
        "{uuid} is in quarantine: {record}\nhelp: look at it; `gradus doctor --clear-quarantine {uuid}` ends it"
    )]
    Quarantined {
        /// Which.
        uuid: String,
        /// Why.
        record: Box<Record>,
    },
    /// It must not be used, or cannot be.
    #[error("{uuid} is unusable: {}", reasons.join("; "))]
    Unusable {
        /// Which.
        uuid: String,
        /// Why.
        reasons: Vec<String>,
    },
    /// Kernels do not run on it.
    #[error("{uuid}: {support}")]
    Unsupported {
        /// Which.
        uuid: String,
        /// Why.
        support: Support,
    },
    /// `auto` found too few.
    #[error("{found} of {wanted} GPUs are ready and free{}", listed(.not))]
    TooFew {
        /// Asked for.
        wanted: usize,
        /// Could be had.
        found: usize,
        /// Why each of the others was not taken.
        not: Vec<String>,
    },
    /// What is in use could not be read.
    #[error("what is in use of {uuid} is unknown")]
    Baseline {
        /// Which.
        uuid: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// What jobs of the sandbox hold cannot be read.
    #[error("GPUs that jobs of the sandbox hold are unknown")]
    Holds(#[source] gradus_sandbox::gpu::GpuError),
    /// Lock files cannot be used.
    #[error("GPU leases need their directory")]
    State(#[source] StateError),
}

fn listed(not: &[String]) -> String {
    not.iter().map(|line| format!("\n  {line}")).collect()
}

/// Devices that did not come back.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", lines(.records, .write_errors))]
pub struct NotReturned {
    /// What is in quarantine now.
    pub records: Vec<Record>,
    /// Records that could not be written: these devices can be leased again, and should not be.
    pub write_errors: Vec<StateError>,
}

fn lines(records: &[Record], errors: &[StateError]) -> String {
    let records = records
        .iter()
        .map(|record| format!("{} is in quarantine: {record}\nhelp: look at it; `gradus doctor --clear-quarantine {0}` ends it", record.uuid));
    let errors = errors
        .iter()
        .map(|error| format!("but its record was not written: {error}: {}", error.source));
    records.chain(errors).collect::<Vec<_>>().join("\n")
}
