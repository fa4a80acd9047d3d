//! Every controller is tried in a group that is made for it: a mount alone says little about what can be used.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::CgroupError;
use super::files::{Dir, remove_dir};
use super::host::{Backend, Controller, Hierarchy, Host, Missing, Settings, Support, Swap};
use super::layout::Layout;
use super::parent::{self, Parent};
use super::{v1, v2};

impl Host {
    /// The same with a known layout. `disk` is the number of a block device to try limits on.
    pub(super) fn probe(layout: &Layout, settings: &Settings, disk: Option<&str>) -> Host {
        let mut host = Host {
            v2: None,
            v1: Vec::new(),
            support: Controller::ALL
                .map(|one| {
                    (
                        one,
                        Support {
                            backend: Backend::None,
                            missing: Vec::new(),
                        },
                    )
                })
                .into(),
            swap: if Path::new("/proc/swaps").exists() {
                Swap::Unlimited
            } else {
                Swap::Absent
            },
            cpus: String::new(),
            mems: String::new(),
            notes: Vec::new(),
        };
        host.probe_v2(layout, settings, disk);
        host.probe_v1(layout, disk);
        host
    }

    fn probe_v2(&mut self, layout: &Layout, settings: &Settings, disk: Option<&str>) {
        let parent = match parent::choose(layout.v2.as_ref(), settings) {
            Ok(parent) => parent,
            Err(missing) => return self.miss(&Controller::ALL, &missing),
        };
        let Parent {
            dir,
            notes,
            refused,
        } = parent;
        self.notes.extend(notes);
        let group = match Throwaway::make(dir.path(), Backend::V2) {
            Ok(group) => group,
            Err(error) => return self.miss(&Controller::ALL, &Missing::from(&error)),
        };
        let mut found = Vec::new();
        for controller in Controller::ALL {
            let tried = match refused.get(&controller) {
                Some(missing) => Err(missing.clone()),
                None => v2::probe(controller, &group.dir, &dir, disk),
            };
            match tried {
                Ok(()) => found.push(controller),
                Err(missing) => self.miss(&[controller], &missing),
            }
        }
        if found.contains(&Controller::Memory) && group.dir.write("memory.swap.max", "0").is_ok() {
            self.swap = Swap::V2;
        }
        if found.contains(&Controller::Cpuset) {
            self.cpus = v2::inherited(&dir, "cpuset.cpus");
            self.mems = v2::inherited(&dir, "cpuset.mems");
        }
        self.found(&found, Backend::V2);
        if found.is_empty() {
            return;
        }
        self.v2 = Some(Hierarchy {
            parent: dir.path().to_owned(),
            controllers: found,
        });
    }

    fn probe_v1(&mut self, layout: &Layout, disk: Option<&str>) {
        for place in &layout.v1 {
            let known = v1::controllers(&place.controllers);
            let needed: Vec<Controller> = known
                .into_iter()
                .filter(|one| self.backend(*one) == Backend::None)
                .collect();
            if needed.is_empty() {
                continue;
            }
            let Some(own) = &place.own else {
                let what = format!(
                    "the mount {} does not show the own group",
                    place.mount.display()
                );
                self.miss(&needed, &Missing::new(what, "mount the hierarchy's root, or start the supervisor within what is mounted"));
                continue;
            };
            let made = Dir::open(own, Backend::V1)
                .and_then(|dir| Ok((Throwaway::make(own, Backend::V1)?, dir)));
            let (group, dir) = match made {
                Ok(made) => made,
                Err(error) => {
                    self.miss(&needed, &Missing::from(&error));
                    continue;
                }
            };
            let mut found = Vec::new();
            for controller in needed {
                match v1::probe(controller, &group.dir, &dir, disk) {
                    Ok(()) => found.push(controller),
                    Err(missing) => self.miss(&[controller], &missing),
                }
            }
            if found.contains(&Controller::Memory)
                && group
                    .dir
                    .write("memory.memsw.limit_in_bytes", v1::PROBE_MEMORY)
                    .is_ok()
            {
                self.swap = Swap::V1;
            }
            if found.contains(&Controller::Cpuset) {
                self.cpus = v1::inherited(&dir, "cpus");
                self.mems = v1::inherited(&dir, "mems");
            }
            self.found(&found, Backend::V1);
            if !found.is_empty() {
                self.v1.push(Hierarchy {
                    parent: own.clone(),
                    controllers: found,
                });
            }
        }
        // any list of processes will do to kill them
        if self.backend(Controller::Kill) == Backend::None && !self.v1.is_empty() {
            self.found(&[Controller::Kill], Backend::V1);
        }
        for support in self
            .support
            .values_mut()
            .filter(|support| support.missing.is_empty())
        {
            if support.backend == Backend::None {
                let what = "no hierarchy of control groups that is mounted here has it".to_owned();
                support.missing.push(Missing::new(
                    what,
                    "mount cgroup2 at /sys/fs/cgroup, or see cgroup_disable in /proc/cmdline",
                ));
            }
        }
    }

    fn found(&mut self, controllers: &[Controller], backend: Backend) {
        for controller in controllers {
            if let Some(support) = self.support.get_mut(controller) {
                support.backend = backend;
            }
        }
    }

    fn miss(&mut self, controllers: &[Controller], missing: &Missing) {
        for controller in controllers {
            if let Some(support) = self.support.get_mut(controller) {
                support.missing.push(missing.clone());
            }
        }
    }
}

/// How the names of groups begin that are only made to be tried. One is left only where [`Host::discover`] was killed; sweep this prefix then,
/// while nothing else looks for what the host offers.
pub const THROWAWAY: &str = "gradus-probe-";

/// A group that is removed when it is no longer looked at.
struct Throwaway {
    dir: Dir,
}

impl Throwaway {
    fn make(parent: &Path, backend: Backend) -> Result<Throwaway, CgroupError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let pid = rustix::process::getpid().as_raw_pid();
        let name = format!("{THROWAWAY}{pid}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Throwaway {
            dir: Dir::make(&parent.join(name), backend)?,
        })
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        // it never had a process; if the kernel still keeps it, a sweep of its prefix removes it
        _ = remove_dir(self.dir.path());
    }
}
