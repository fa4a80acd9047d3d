//! A sandbox with a driver of files, and a management library that says what it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gradus_nvml_stub::driver::{DriverRoot, Gpu};
use gradus_sandbox::gpu::driver::Driver;
use gradus_sandbox::gpu::keeper::{Settings, keep};
use gradus_sandbox::gpu::notes::{self, Note, Seen};
use gradus_sandbox::gpu::told::{OnGpu, Told, Usage};
use gradus_sandbox::gpu::{Grant, Granted, Holds, Nvml, NvmlError, Request};
use gradus_sandbox::job::Job;
use gradus_sandbox::outcome::Outcome;
use gradus_sandbox::protocol::KillReason;
use gradus_sandbox::sandbox::{Sandbox, Started};

use crate::arena::Arena;

pub(crate) const A: Gpu = Gpu {
    uuid: "GPU-aaaaaaaa-0000-0000-0000-000000000001",
    pci: "0000:1a:00.0",
    minor: 3,
};
/// The kernel's log under the name of a GPU: no job may open it, and its rules allow it to none.
pub(crate) const B: Gpu = Gpu {
    uuid: "GPU-bbbbbbbb-0000-0000-0000-000000000002",
    pci: "0000:2a:00.0",
    minor: 11,
};
pub(crate) const BASELINE: u64 = 4 << 20;
pub(crate) const GIB: u64 = 1 << 30;

/// A library that says what it is told to; idle where it is told nothing.
#[derive(Default)]
pub(crate) struct Says(Mutex<BTreeMap<String, Result<Usage, NvmlError>>>);

impl Says {
    pub(crate) fn says(&self, usage: Result<Usage, NvmlError>) {
        self.0.lock().unwrap().insert(A.uuid.to_owned(), usage);
    }

    /// These processes are on the first GPU, with so many bytes each.
    pub(crate) fn used(&self, processes: &[(u32, u64)]) {
        let on = |(pid, bytes): &(u32, u64)| OnGpu {
            pid: *pid,
            bytes: Some(*bytes),
        };
        self.says(Ok(Usage {
            used_bytes: BASELINE + processes.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            processes: processes.iter().map(on).collect(),
        }));
    }
}

impl Nvml for Says {
    fn gpus(&self) -> Result<Vec<Told>, NvmlError> {
        let told = |gpu: Gpu| Told {
            uuid: gpu.uuid.to_owned(),
            pci: gpu.pci.to_owned(),
            ..Told::default()
        };
        Ok([A, B].map(told).into())
    }

    fn usage(&self, uuid: &str) -> Result<Usage, NvmlError> {
        let idle = Usage {
            used_bytes: BASELINE,
            processes: Vec::new(),
        };
        self.0
            .lock()
            .unwrap()
            .get(uuid)
            .cloned()
            .unwrap_or(Ok(idle))
    }
}

pub(crate) struct Place {
    pub(crate) arena: Arena,
    pub(crate) root: DriverRoot,
    pub(crate) holds: Holds,
    pub(crate) says: Says,
}

pub(crate) const SETTINGS: Settings = Settings {
    every: Duration::from_millis(20),
    patience: Duration::from_millis(400),
    slack_bytes: 32 << 20,
};

impl Place {
    pub(crate) fn new() -> Option<Place> {
        let arena = Arena::new()?;
        let root = DriverRoot::new(&[A, B]).expect("root makes device nodes");
        let holds = Holds::at(&arena.path("gpus"));
        Some(Place {
            arena,
            root,
            holds,
            says: Says::default(),
        })
    }

    /// The same with a shell among the job's files; none, said aloud, where there is none.
    pub(crate) fn with_shell() -> Option<Place> {
        let place = Place::new()?;
        if !Path::new("/bin/busybox").exists() {
            eprintln!(
                "SKIPPED: what a job sees is looked at with /bin/busybox (package busybox-static)"
            );
            return None;
        }
        let bin = place.arena.path("root/bin");
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for applet in ["sh", "cat", "ls", "find", "echo", "readlink"] {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        Some(place)
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.arena.sandbox
    }

    pub(crate) fn shell(&self, name: &str, script: &str) -> Job {
        Job {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            ..self.arena.job(name, &[])
        }
    }

    pub(crate) fn take(&self, gpu: Gpu, job: &str, memory_bytes: Option<u64>) -> Grant {
        let request = Request {
            uuid: gpu.uuid.to_owned(),
            memory_bytes,
        };
        let driver = Driver::find(self.root.path()).unwrap();
        let granted = Granted::find(driver, &self.says, &[request]).unwrap();
        let state = self.sandbox().state().root();
        self.holds.take(granted, &self.says, state, job).unwrap()
    }

    pub(crate) fn start(&self, job: &Job, gpu: Gpu, memory_bytes: Option<u64>) -> (Started, Grant) {
        let grant = self.take(gpu, &job.name, memory_bytes);
        let started = self.sandbox().start_on(job, Some(&grant.granted));
        (started.unwrap_or_else(|error| panic!("{error:?}")), grant)
    }

    /// What the script prints as a job with the first GPU.
    pub(crate) fn prints(&self, name: &str, script: &str) -> String {
        self.prints_as(&self.shell(name, script))
    }

    pub(crate) fn prints_as(&self, job: &Job) -> String {
        let (mut started, grant) = self.start(job, A, None);
        let ended = started.wait().unwrap();
        assert_eq!(ended.left, [""; 0]);
        let text = self.arena.printed(&job.name);
        grant.hand_over();
        assert!(
            self.keep(&job.name)
                .iter()
                .all(|note| !note.seen.is_alarm())
        );
        self.arena.remove(&job.name);
        text
    }

    /// Keeps the job's GPUs until they are back or in quarantine: what was noted.
    pub(crate) fn keep(&self, name: &str) -> Vec<Note> {
        let mut told = Vec::new();
        let mut tell = |note: &Note| told.push(note.clone());
        keep(
            self.sandbox(),
            &self.holds,
            &self.says,
            name,
            SETTINGS,
            &mut tell,
        )
        .unwrap();
        let kept = notes::read(&self.arena.directory(name));
        assert_eq!(kept, told, "what is told is in the record");
        told
    }

    /// A job that waits, with the first GPU, kept by another thread while `meanwhile` does something: how it ended, what was noted.
    pub(crate) fn kept(
        &self,
        name: &str,
        memory_bytes: Option<u64>,
        meanwhile: impl FnOnce(u32),
    ) -> (Outcome, Vec<Note>) {
        let job = self.arena.job(name, &["wait-for", "ms=60000"]);
        let (mut started, grant) = self.start(&job, A, memory_bytes);
        let pid = u32::try_from(started.processes.init).unwrap();
        grant.hand_over();
        let (outcome, noted) = std::thread::scope(|scope| {
            let keeper = scope.spawn(|| self.keep(name));
            meanwhile(pid);
            let ended = started.wait().unwrap();
            (ended.outcome, keeper.join().unwrap())
        });
        self.arena.remove(name);
        (outcome, noted)
    }

    pub(crate) fn wait_for(&self, name: &str, seen: impl Fn(&Seen) -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        let directory = self.arena.directory(name);
        while !notes::read(&directory).iter().any(|note| seen(&note.seen)) {
            assert!(Instant::now() < until, "{:?}", notes::read(&directory));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn end(&self, name: &str) {
        let sandbox = self.sandbox();
        sandbox
            .kill(name, KillReason::Cancelled, Duration::ZERO)
            .unwrap();
    }

    #[track_caller]
    pub(crate) fn is_free(&self) {
        assert_eq!(self.holds.list().unwrap(), []);
        assert_eq!(self.holds.quarantines(), []);
    }
}

pub(crate) fn last(noted: &[Note]) -> &Seen {
    &noted.last().expect("something was noted").seen
}
