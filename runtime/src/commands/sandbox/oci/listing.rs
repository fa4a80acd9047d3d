//! `list` and `features`.

use super::Runtime;
use crate::cli::sandbox::OciListArgs;
use crate::commands::sandbox::{CommandError, print};
use crate::exit::Exit;
use std::fmt::Write as _;

impl Runtime<'_> {
    pub(super) fn list(&self, arguments: &OciListArgs) -> Result<Exit, CommandError> {
        let mut rows = Vec::new();
        for container in self.containers.all()? {
            let (status, pid) = self.status(&container)?;
            rows.push((container, status.name(), pid));
        }
        let mut text = String::new();
        if arguments.quiet {
            for (container, ..) in &rows {
                let _ = writeln!(text, "{}", container.id);
            }
        } else if arguments.format == "json" {
            let rows: Vec<_> = rows
                .iter()
                .map(|(container, status, pid)| {
                    serde_json::json!({
                        "id": container.id,
                        "status": status,
                        "pid": pid.unwrap_or(0),
                        "bundle": container.bundle,
                    })
                })
                .collect();
            let _ = writeln!(text, "{}", serde_json::json!(rows));
        } else {
            let width = rows.iter().map(|(container, ..)| container.id.len());
            let width = width.max().unwrap_or(0).max(2);
            let _ = writeln!(
                text,
                "{:width$}  {:>9}  {:8}  BUNDLE",
                "ID", "PID", "STATUS"
            );
            for (container, status, pid) in &rows {
                let _ = writeln!(
                    text,
                    "{:width$}  {:>9}  {status:8}  {}",
                    container.id,
                    pid.unwrap_or(0),
                    container.bundle.display()
                );
            }
        }
        print(&text)?;
        Ok(Exit::Done)
    }
}

/// What bundles can ask for, as the specification wants it said.
pub(super) fn features() -> Result<Exit, CommandError> {
    let features = serde_json::json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.2.0",
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": [
            "bind", "rbind", "ro", "rro", "noexec", "rnoexec", "nosymfollow", "rnosymfollow", "noatime", "rnoatime", "strictatime",
            "rstrictatime", "nodiratime", "rnodiratime", "nosuid", "rnosuid", "nodev", "rnodev", "private", "rprivate", "relatime",
            "rrelatime", "size", "nr_inodes", "mode",
        ],
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": [
                "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
            ],
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": false },
            "seccomp": { "enabled": true, "actions": ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"] },
            "apparmor": { "enabled": false },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
        },
    });
    print(&format!("{features:#}\n"))?;
    Ok(Exit::Done)
}
