//! What a job with GPUs is given, as parts of its plan. Pure.
//!
//! * nodes of what was granted, the control node and unified memory, and rules that allow opening those. Never: the nodes for displays
//!   (`nvidia-modeset`, `/dev/dri`), for tools that read other programs' memory (`nvidia-uvm-tools`), sockets of MPS, of the persistence
//!   daemon and of the fabric manager;
//! * libraries and programs of the driver in [`DIRECTORY`], a directory of ours, each a regular file of the host, read-only;
//! * `/proc/driver` as a directory of ours: the driver's version and parameters, and the granted GPUs' entries alone.
//!
//! Programs find the libraries by `LD_LIBRARY_PATH`. The other way, a line in `ld.so.conf.d` and the image's `ldconfig`, would run a program
//! of the image before the one that was asked for, write into a root that may be read-only, and fail in images without it; images made for
//! GPUs have this very directory in their variables already. It comes first: a library of the image that is older than the driver's
//! module would only fail.

use gradus_jail::device_filter::{Kind, Rule};
use gradus_jail::plan::{Content, Entry, Gpu, Mount, Plan, Source};

use super::driver::Driver;
use super::find::{Device, Node};
use super::{GpuError, Nvml, Request, find, proc};

/// Where the driver's files are, inside.
pub const DIRECTORY: &str = "/usr/local/nvidia";

/// Shown in place of the host's, inside.
const PROC_DRIVER: &str = "/proc/driver";

/// The seccomp policy of jobs with GPUs.
pub const POLICY: &str = "trainer+gpu";

/// GPUs that were found for a job, with what it takes to use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    driver: Driver,
    shared: Vec<Node>,
    devices: Vec<Device>,
    memory_bytes: Vec<Option<u64>>,
    /// when they were taken, nanoseconds since 1970; 0 if they were only looked at
    pub(super) taken_unix_ns: u64,
}

impl Granted {
    /// Finds what `requests` name, without taking it.
    ///
    /// # Errors
    /// As [`find::find`].
    pub fn find(
        driver: Driver,
        nvml: &dyn Nvml,
        requests: &[Request],
    ) -> Result<Granted, GpuError> {
        if let Some(request) = requests.iter().find(|it| it.memory_bytes == Some(0)) {
            return Err(GpuError::Request(format!(
                "{}: 0 bytes of GPU memory are too few for any program",
                request.uuid
            )));
        }
        let (shared, devices) = find::find(&driver, nvml, requests)?;
        Ok(Granted {
            driver,
            shared,
            devices,
            memory_bytes: requests.iter().map(|it| it.memory_bytes).collect(),
            taken_unix_ns: 0,
        })
    }

    /// The GPUs, as the plan names them.
    pub fn gpus(&self) -> Vec<Gpu> {
        let limits = self.memory_bytes.iter();
        let of = |(device, memory_bytes): (&Device, &Option<u64>)| Gpu {
            uuid: device.uuid.clone(),
            pci: device.pci.clone(),
            minor: device.minor,
            instance: device.instance.clone(),
            memory_bytes: *memory_bytes,
            taken_unix_ns: self.taken_unix_ns,
        };
        self.devices.iter().zip(limits).map(of).collect()
    }

    /// Adds all of it to a job's plan.
    pub fn add_to(&self, plan: &mut Plan) {
        let nodes = || {
            self.shared
                .iter()
                .chain(self.devices.iter().flat_map(|device| &device.nodes))
        };
        plan.mounts.extend(nodes().map(|node| Mount {
            target: format!("/dev/{}", node.name),
            source: Source::Device {
                path: node.path.clone(),
            },
        }));
        // No rules are no filter, which stays so: devices are those that are mounted.
        if !plan.device_rules.is_empty() {
            let rules = nodes().map(|node| Rule::open(Kind::Char, node.major, Some(node.minor)));
            plan.device_rules.extend(rules);
        }
        let trees = [(DIRECTORY, self.files()), (PROC_DRIVER, self.proc_driver())];
        plan.mounts.extend(trees.map(|(target, entries)| Mount {
            target: target.to_owned(),
            source: Source::Tree { entries },
        }));
        plan.masked.retain(|path| path != PROC_DRIVER);
        let env = &mut plan.process.env;
        variable(env, "LD_LIBRARY_PATH", |old| match old {
            Some(old) if !old.is_empty() => format!("{DIRECTORY}/lib64:{old}"),
            _ => format!("{DIRECTORY}/lib64"),
        });
        // Behind the image's own: its programs are what it was made with.
        if env.iter().any(|it| it.starts_with("PATH=")) {
            variable(env, "PATH", |old| {
                format!("{}:{DIRECTORY}/bin", old.unwrap_or_default())
            });
        }
        plan.seccomp = plan.seccomp.is_some().then(|| POLICY.to_owned());
        plan.gpus = self.gpus();
    }

    fn files(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for library in &self.driver.libraries {
            entries.push(Entry {
                path: format!("lib64/{}", library.name),
                content: Content::File {
                    path: library.path.clone(),
                },
            });
            entries.extend(library.links.iter().map(|link| Entry {
                path: format!("lib64/{link}"),
                content: Content::Link {
                    to: library.name.clone(),
                },
            }));
        }
        entries.extend(self.driver.programs.iter().map(|(name, path)| Entry {
            path: format!("bin/{name}"),
            content: Content::File { path: path.clone() },
        }));
        entries
    }

    fn proc_driver(&self) -> Vec<Entry> {
        let mut files = vec![
            (
                "nvidia/version".to_owned(),
                self.driver.version_text.clone(),
            ),
            (
                "nvidia/params".to_owned(),
                proc::params(&self.driver.params_text),
            ),
        ];
        for device in &self.devices {
            let path = format!("nvidia/gpus/{}/information", device.pci);
            // Two instances of one GPU.
            if !files.iter().any(|(other, _)| *other == path) {
                files.push((path, device.information.clone()));
            }
            for (path, text) in &device.capabilities {
                let path = format!("nvidia/{path}");
                if !files.iter().any(|(other, _)| *other == path) {
                    files.push((path, text.clone()));
                }
            }
        }
        let mut minors: Vec<String> = self
            .devices
            .iter()
            .flat_map(|device| &device.mig_minors)
            .map(|(name, minor)| format!("{name} {minor}\n"))
            .collect();
        minors.dedup();
        if !minors.is_empty() {
            files.push(("nvidia-caps/mig-minors".to_owned(), minors.concat()));
        }
        let text = |(path, text): (String, String)| Entry {
            path,
            content: Content::Text { text },
        };
        files.into_iter().map(text).collect()
    }
}

/// Changes the variable `name`, the last of that name where there are several.
fn variable(env: &mut Vec<String>, name: &str, change: impl FnOnce(Option<&str>) -> String) {
    let value = |it: &str| it.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    let old = env.iter().rev().find_map(|it| value(it));
    env.retain(|it| value(it).is_none());
    env.push(format!("{name}={}", change(old.as_deref())));
}
