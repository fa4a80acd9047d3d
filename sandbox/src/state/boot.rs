//! Jobs of another boot of the host: all of their processes, groups and mounts are gone, and their numbers are others' now.

use std::sync::OnceLock;

use gradus_jail::protocol::Identity as Processes;
use gradus_jail::watcher::boot_id;

/// Whether these processes were started before the host was. Not where that is not known: then they are looked for.
pub(crate) fn is_of_another_boot(processes: &Processes) -> bool {
    static THIS: OnceLock<Option<String>> = OnceLock::new();
    let this = THIS.get_or_init(|| boot_id().ok());
    !processes.boot_id.is_empty() && this.as_ref().is_some_and(|this| *this != processes.boot_id)
}
