//! A GPU for one gradus process at a time.
//!
//! A lease is an exclusive lock on a file of the [`StateDir`]. The kernel drops it when the process ends, however that
//! happens, so a dead holder holds nothing. It keeps other gradus processes away and nobody else: who else uses a GPU
//! is what the inventory tells.
//!
//! A MIG instance is locked for itself, with a shared lock on its GPU; a whole GPU is locked exclusively. So instances
//! of one GPU go to different processes, and never beside the whole.
//!
//! What is in use when a lease is taken is its baseline. [`Lease::verify_returned`] waits until no more is in use than
//! that; what does not come back is put into quarantine, with the reason, and leased to nobody until that is cleared.

mod error;
mod lock;
mod request;

pub use error::{LeaseError, NotReturned};
pub use lock::Holder;
pub use request::{ParseRequestError, Request};

use super::health::{Verdict, assess};
use super::inventory::{Gpu, Inventory, MigInstance, Usage, UsageSource};
use super::nvml::ReadError;
use super::quarantine::{Record, Why};
use super::state::StateDir;
use super::support::Support;
use gradus_sandbox::gpu::Holds;
use lock::{Lock, Locked};
use std::time::{Duration, Instant};

/// Memory that may be in use beyond the baseline when a GPU is given back, bytes: the driver's own bookkeeping moves.
pub const MEMORY_SLACK: u64 = 32 << 20;

/// How often a GPU is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// GPUs and MIG instances that this process has, until it is dropped.
#[derive(Debug)]
pub struct Lease {
    devices: Vec<Leased>,
    state: StateDir,
    purpose: String,
}

/// One of a lease's devices.
#[derive(Debug)]
pub struct Leased {
    /// Of the GPU, or of the MIG instance; what `CUDA_VISIBLE_DEVICES` takes.
    pub uuid: String,
    /// Index of the GPU in the inventory.
    pub index: u32,
    /// What was in use when it was taken.
    pub baseline: Usage,
    /// Who died with it, if somebody did: it was not verified since.
    pub abandoned_by: Option<Holder>,
    // Held, not read.
    _locks: Vec<Lock>,
}

/// A device that can be asked for.
#[derive(Clone, Copy)]
struct Device<'a> {
    gpu: &'a Gpu,
    instance: Option<&'a MigInstance>,
}

impl<'a> Device<'a> {
    fn all(inventory: &'a Inventory) -> Vec<Self> {
        let whole = inventory.gpus.iter().map(|gpu| Self {
            gpu,
            instance: None,
        });
        let cut = inventory.gpus.iter().flat_map(|gpu| {
            let instances = gpu.mig.iter().flat_map(|mig| &mig.instances);
            instances.map(move |instance| Self {
                gpu,
                instance: Some(instance),
            })
        });
        whole
            .chain(cut)
            .filter(|device| device.uuid_of().is_some())
            .collect()
    }

    fn uuid_of(&self) -> Option<&'a str> {
        match self.instance {
            Some(instance) => instance.uuid.as_deref(),
            None => self.gpu.uuid.as_deref(),
        }
    }

    /// `all` has devices with a name only.
    fn uuid(&self) -> &'a str {
        self.uuid_of().unwrap_or_default()
    }

    fn free(&self) -> u64 {
        let memory = match self.instance {
            Some(instance) => instance.memory,
            None => self.gpu.memory,
        };
        memory.map_or(0, |memory| memory.free)
    }

    /// Whether it may be leased, apart from its lock.
    fn check(&self, inventory: &Inventory) -> Result<Verdict, LeaseError> {
        let uuid = self.uuid().to_owned();
        if self.instance.is_none() && self.gpu.is_cut() {
            let instances = self.gpu.mig.iter().flat_map(|mig| &mig.instances);
            return Err(LeaseError::Cut {
                index: self.gpu.index,
                instances: instances
                    .filter_map(|instance| instance.uuid.clone())
                    .collect(),
            });
        }
        let own = self
            .instance
            .and_then(|instance| instance.quarantine.as_ref());
        if let Some(record) = own.or(self.gpu.quarantine.as_ref()) {
            return Err(LeaseError::Quarantined {
                uuid,
                record: Box::new(record.clone()),
            });
        }
        let health = assess(self.gpu, &[], &[]);
        if health.verdict == Verdict::Unusable {
            let worst = health.reasons.iter();
            let worst = worst.filter(|reason| reason.verdict() == Verdict::Unusable);
            return Err(LeaseError::Unusable {
                uuid,
                reasons: worst.map(ToString::to_string).collect(),
            });
        }
        match inventory.support(self.gpu) {
            Support::OldGpu { .. } | Support::OldDriver { .. } => Err(LeaseError::Unsupported {
                uuid,
                support: inventory.support(self.gpu),
            }),
            Support::Supported | Support::Unknown => Ok(health.verdict),
        }
    }
}

impl Lease {
    /// Takes what is asked for, all of it or nothing, without waiting.
    ///
    /// * `inventory`: read with the same state directory, a moment ago
    /// * `purpose`: what others are told, such as `gradus eval`
    ///
    /// # Errors
    /// See [`LeaseError`]; `Held` names the holder.
    pub fn take(
        state: &StateDir,
        inventory: &Inventory,
        usage: &dyn UsageSource,
        request: &Request,
        purpose: &str,
    ) -> Result<Self, LeaseError> {
        let devices = Device::all(inventory);
        let mut lease = Self {
            devices: Vec::new(),
            state: state.clone(),
            purpose: purpose.to_owned(),
        };
        match request {
            Request::Named(names) => {
                let mut found: Vec<Device<'_>> = Vec::new();
                for name in names {
                    let device = request::find(&devices, name)?;
                    if found.iter().any(|other| other.uuid() == device.uuid()) {
                        return Err(LeaseError::Twice {
                            uuid: device.uuid().to_owned(),
                        });
                    }
                    found.push(device);
                }
                for device in found {
                    device.check(inventory)?;
                    lease.add(device, usage)?;
                }
            }
            Request::Auto(wanted) => lease.add_free(devices, inventory, usage, *wanted)?,
        }
        Ok(lease)
    }

    /// Ready ones, those with most memory free first. One that is degraded has to be asked for by name.
    fn add_free(
        &mut self,
        mut devices: Vec<Device<'_>>,
        inventory: &Inventory,
        usage: &dyn UsageSource,
        wanted: usize,
    ) -> Result<(), LeaseError> {
        devices.sort_by_key(|device| (std::cmp::Reverse(device.free()), device.gpu.index));
        let mut not = Vec::new();
        for device in devices {
            if self.devices.len() == wanted {
                break;
            }
            match device.check(inventory) {
                Ok(Verdict::Ready) => {}
                Ok(_) => {
                    let reasons = assess(device.gpu, &[], &[]).reasons;
                    let first = reasons
                        .first()
                        .map_or_else(String::new, ToString::to_string);
                    not.push(format!("{} is degraded: {first}", device.uuid()));
                    continue;
                }
                // Its instances are in the list.
                Err(LeaseError::Cut { .. }) => continue,
                Err(error) => {
                    not.push(error.to_string());
                    continue;
                }
            }
            match self.add(device, usage) {
                Ok(()) => {}
                Err(LeaseError::State(error)) => return Err(LeaseError::State(error)),
                Err(error) => not.push(
                    error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                ),
            }
        }
        match self.devices.len() {
            found if found < wanted => Err(LeaseError::TooFew { wanted, found, not }),
            _ => Ok(()),
        }
    }

    fn add(&mut self, device: Device<'_>, usage: &dyn UsageSource) -> Result<(), LeaseError> {
        let uuid = device.uuid().to_owned();
        let mut locks = Vec::new();
        if device.instance.is_some()
            && let Some(whole) = &device.gpu.uuid
        {
            match Lock::shared(&self.state, whole).map_err(LeaseError::State)? {
                Locked::Yes(lock) => locks.push(lock),
                Locked::By(holder) => return Err(LeaseError::Held { uuid, holder }),
            }
        }
        match Lock::exclusive(&self.state, &uuid, &self.purpose).map_err(LeaseError::State)? {
            Locked::Yes(lock) => locks.push(lock),
            Locked::By(holder) => return Err(LeaseError::Held { uuid, holder }),
        }
        // Jobs of the sandbox hold GPUs by files, which are there before locks are looked for.
        let of = device.instance.and(device.gpu.uuid.as_deref());
        let held = Holds::at(self.state.path()).holder(&uuid, of);
        if let Some(hold) = held.map_err(LeaseError::Holds)? {
            let holder = Holder {
                pid: None,
                purpose: format!("sandbox job {}", hold.job),
            };
            return Err(LeaseError::Held { uuid, holder });
        }
        // Between the inventory and the lock, another lease may have ended badly.
        if let Some(record) = self.state.quarantined(&uuid) {
            return Err(LeaseError::Quarantined {
                uuid,
                record: Box::new(record),
            });
        }
        let baseline = usage.usage(&uuid).map_err(|source| LeaseError::Baseline {
            uuid: uuid.clone(),
            source,
        })?;
        self.devices.push(Leased {
            uuid,
            index: device.gpu.index,
            baseline,
            abandoned_by: locks.last_mut().and_then(|lock| lock.abandoned_by.take()),
            _locks: locks,
        });
        Ok(())
    }

    /// What it holds, in the order asked for.
    pub fn devices(&self) -> &[Leased] {
        &self.devices
    }

    /// Waits, at most `within`, until every device has no process and no memory in use beyond its baseline. Call it
    /// when what ran on them has ended; this process's own contexts count like anybody's.
    ///
    /// Devices that do not come back are in quarantine when this returns.
    ///
    /// # Errors
    /// The new records, and whether writing them failed.
    pub fn verify_returned(
        &self,
        usage: &dyn UsageSource,
        within: Duration,
    ) -> Result<(), NotReturned> {
        let begin = Instant::now();
        let mut not = NotReturned::default();
        for device in &self.devices {
            let why = loop {
                let why = match usage.usage(&device.uuid) {
                    Ok(now) => left(&device.baseline, &now),
                    Err(ReadError::Lost) => break Some(Why::Lost),
                    Err(error) => Some(Why::Unknown {
                        error: error.to_string(),
                    }),
                };
                let rest = within.saturating_sub(begin.elapsed());
                if why.is_none() || rest.is_zero() {
                    break why;
                }
                std::thread::sleep(LOOK_EVERY.min(rest));
            };
            if let Some(why) = why {
                let record = Record::new(&device.uuid, why, &self.purpose);
                not.write_errors
                    .extend(self.state.quarantine(&record).err());
                not.records.push(record);
            }
        }
        match not.records.is_empty() {
            true => Ok(()),
            false => Err(not),
        }
    }
}

/// What is in use beyond the baseline. Memory of processes that were there before is theirs, however it changes.
fn left(before: &Usage, now: &Usage) -> Option<Why> {
    let known = |pid| before.processes.iter().any(|process| process.pid == pid);
    let pids: Vec<u32> = now
        .processes
        .iter()
        .map(|process| process.pid)
        .filter(|pid| !known(*pid))
        .collect();
    if !pids.is_empty() {
        return Some(Why::ProcessesLeft { pids });
    }
    let rest = |usage: &Usage| {
        let theirs: u64 = usage
            .processes
            .iter()
            .filter_map(|process| process.memory)
            .sum();
        usage.memory_used.saturating_sub(theirs)
    };
    let (before, after) = (rest(before), rest(now));
    (after > before.saturating_add(MEMORY_SLACK))
        .then_some(Why::MemoryNotReturned { before, after })
}
