//! Memory over time: a thread that looks at an interval, tells what it sees, and keeps the peak.

use super::inventory::{Usage, UsageSource};
use super::nvml::ReadError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a watch sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// What is in use of a device.
    Sample {
        /// Which.
        uuid: String,
        /// What.
        usage: Usage,
    },
    /// A device is gone. It is told once, and not looked at any more.
    Lost {
        /// Which.
        uuid: String,
    },
    /// A look failed; the next is tried as usual. Told when it begins, not at every look.
    Unreadable {
        /// Which.
        uuid: String,
        /// Why.
        error: ReadError,
    },
}

/// The most that was in use of a device at any look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Bytes, by anybody.
    pub memory_used: u64,
    /// Bytes by each process id, where that is told.
    pub processes: BTreeMap<u32, u64>,
    /// Looks that had an answer.
    pub num_samples: u64,
}

/// A running watch. Dropping it stops it.
#[derive(Debug)]
pub struct Watch {
    // Closing the channel is the sign to stop, and wakes the thread from its interval.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<BTreeMap<String, Peak>>>,
}

impl Watch {
    /// Starts to look at the devices with these UUIDs, at once and then every `interval`. `tell` runs in the watch's
    /// thread; while it runs, nothing is looked at.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start(
        source: Arc<dyn UsageSource>,
        uuids: Vec<String>,
        interval: Duration,
        mut tell: impl FnMut(WatchEvent) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let work = move || {
            let mut devices: Vec<Watched> = uuids.into_iter().map(Watched::new).collect();
            loop {
                let begin = Instant::now();
                for device in devices.iter_mut().filter(|device| !device.lost) {
                    device.look(&*source, &mut tell);
                }
                let rest = interval.saturating_sub(begin.elapsed());
                if let Err(RecvTimeoutError::Disconnected) = stopped.recv_timeout(rest) {
                    break;
                }
            }
            let peaks = devices.into_iter().map(|device| (device.uuid, device.peak));
            peaks.collect()
        };
        let thread = thread::Builder::new()
            .name("gpu watch".to_owned())
            .spawn(work)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Stops, and gives the peak of each device. It waits for a look that is under way.
    ///
    /// # Panics
    /// As `tell` did.
    pub fn stop(mut self) -> BTreeMap<String, Peak> {
        match self.join() {
            Some(Ok(peaks)) => peaks,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => BTreeMap::new(),
        }
    }

    fn join(&mut self) -> Option<thread::Result<BTreeMap<String, Peak>>> {
        drop(self.stop.take());
        self.thread.take().map(JoinHandle::join)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A panic of `tell` was printed where it happened.
        let _ = self.join();
    }
}

struct Watched {
    uuid: String,
    peak: Peak,
    lost: bool,
    failing: Option<ReadError>,
}

impl Watched {
    fn new(uuid: String) -> Self {
        Self {
            uuid,
            peak: Peak::default(),
            lost: false,
            failing: None,
        }
    }

    fn look(&mut self, source: &dyn UsageSource, tell: &mut impl FnMut(WatchEvent)) {
        let uuid = self.uuid.clone();
        match source.usage(&uuid) {
            Ok(usage) => {
                self.failing = None;
                self.peak.num_samples += 1;
                self.peak.memory_used = self.peak.memory_used.max(usage.memory_used);
                for process in &usage.processes {
                    if let Some(bytes) = process.memory {
                        let most = self.peak.processes.entry(process.pid).or_default();
                        *most = bytes.max(*most);
                    }
                }
                tell(WatchEvent::Sample { uuid, usage });
            }
            Err(ReadError::Lost) => {
                self.lost = true;
                tell(WatchEvent::Lost { uuid });
            }
            Err(error) => {
                if self.failing.as_ref() != Some(&error) {
                    self.failing = Some(error.clone());
                    tell(WatchEvent::Unreadable { uuid, error });
                }
            }
        }
    }
}
