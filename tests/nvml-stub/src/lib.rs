//! A management library (NVML) whose GPUs are a text file.
//!
//! The library is compiled from `stub.c` and loaded as NVIDIA's is; the program under test does not know. A scenario
//! has a statement on each line; one that begins with `#` is a comment. Whatever stands before the first `gpu` is about the system,
//! the rest about the last `gpu` before it. A GPU without further lines is a healthy, idle H100.
//!
//! | line | meaning |
//! |---|---|
//! | `driver 580.95.05`, `cuda 13000` | versions |
//! | `init 9` | `nvmlInit_v2` returns this |
//! | `error FUNCTION CODE` | the function returns this, on this GPU or (before the first) on all |
//! | `process_name PID NAME` | what the process is called |
//! | `gpu` | one more GPU |
//! | `name`, `uuid`, `bus` TEXT; `capability 9 0`; `minor N` | identity |
//! | `memory TOTAL USED` | bytes |
//! | `clocks SM MEMORY SM_MAX MEMORY_MAX` | MHz |
//! | `power USED LIMIT` | mW |
//! | `temperature NOW SLOWDOWN` | °C; slowdown 0: not told |
//! | `ecc ON VC VU AC AU` | on (−1: not supported), counters: volatile, aggregate; corrected, uncorrected |
//! | `remapped C U PENDING FAILED`, `no_remapping`, `retired_pending` | rows, pages |
//! | `compute_mode 3`, `persistence 0`, `throttle 0x8` | as NVML's numbers |
//! | `mig CURRENT PENDING`, `slice UUID PROFILE TOTAL USED` | MIG |
//! | `link N BUS` | an active NVLink |
//! | `process PID BYTES [compute\|graphics\|mps] [SLICE]` | BYTES may be `hidden` |
//! | `xid CODE` | an event, delivered once to each process |
//! | `after MS` | what follows replaces all that stands before, once the file is that old |
//! | `lost_after CALLS` | from then on everything about this GPU says that it is lost |

pub mod driver;

use std::path::{Path, PathBuf};

/// Which functions the library has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// All that gradus calls.
    Current,
    /// Without some that old drivers lack, and without the end of events.
    Old,
    /// `nvmlInit_v2` alone.
    Bare,
    /// None: another library of that name.
    Alien,
}

impl Variant {
    fn directory(self) -> PathBuf {
        Path::new(env!("OUT_DIR")).join(match self {
            Self::Current => "current",
            Self::Old => "old",
            Self::Bare => "bare",
            Self::Alien => "alien",
        })
    }
}

/// A library of its own with its scenario, in a directory that goes when this does.
#[derive(Debug)]
pub struct Stub {
    directory: tempfile::TempDir,
}

impl Stub {
    /// A machine as `scenario` says.
    ///
    /// # Panics
    /// If files cannot be written.
    #[must_use]
    pub fn new(variant: Variant, scenario: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let library = variant.directory().join("libnvidia-ml.so.1");
        // A copy is another library to the loader: parallel tests in one process do not share calls and events.
        std::fs::copy(&library, directory.path().join("libnvidia-ml.so.1"))
            .unwrap_or_else(|error| panic!("{}: {error}", library.display()));
        let stub = Self { directory };
        stub.change(scenario);
        stub
    }

    /// The machine changes, between two calls.
    ///
    /// # Panics
    /// If files cannot be written.
    pub fn change(&self, scenario: &str) {
        let next = self.path().join("scenario.next");
        std::fs::write(&next, scenario).expect("the stub's directory takes files");
        std::fs::rename(&next, self.path().join("scenario")).expect("within one directory");
    }

    /// The directory with the library, for `LD_LIBRARY_PATH`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The library.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.path().join("libnvidia-ml.so.1")
    }
}
