//! `config.json` of a bundle, as far as the jail has something to do with it.
//!
//! Properties that are known and that no job has are read as they are, for [`crate::translate`] to refuse by name. Unknown ones are ignored,
//! as the specification wants.

mod linux;

pub use linux::{
    Cpu, Device, DeviceRule, Linux, Memory, Namespace, Pids, Resources, Seccomp, SeccompCall,
};

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{OciError, io_error};

/// The file's name in a bundle.
pub const CONFIG_FILE: &str = "config.json";
/// Bytes of it that are read at most. Tools write some kilobytes.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// A container's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// the specification that it is written for
    pub oci_version: String,
    /// its root file system
    pub root: Option<Root>,
    /// its program
    pub process: Option<Process>,
    /// its host name
    pub hostname: Option<String>,
    /// its domain of the Network Information Service
    pub domainname: Option<String>,
    /// what is mounted into its root
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// programs of the host that are run for it
    #[serde(default)]
    pub hooks: Hooks,
    /// words of its owner's
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// what Linux alone has
    #[serde(default)]
    pub linux: Linux,
    /// what other systems have
    pub windows: Option<Value>,
    /// what other systems have
    pub solaris: Option<Value>,
    /// what virtual machines have
    pub vm: Option<Value>,
    /// what other systems have
    pub zos: Option<Value>,
}

/// A root file system.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Root {
    /// in the bundle, or absolute
    pub path: PathBuf,
    /// whether it cannot be written
    #[serde(default)]
    pub readonly: bool,
}

/// A program.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// whether its streams are a terminal
    #[serde(default)]
    pub terminal: bool,
    /// who it is
    #[serde(default)]
    pub user: User,
    /// it and its arguments
    #[serde(default)]
    pub args: Vec<String>,
    /// its variables
    #[serde(default)]
    pub env: Vec<String>,
    /// its working directory
    pub cwd: String,
    /// its rights
    pub capabilities: Option<Capabilities>,
    /// its limits
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
    /// whether programs that it runs gain nothing by being run
    #[serde(default)]
    pub no_new_privileges: bool,
    /// a profile of AppArmor
    pub apparmor_profile: Option<String>,
    /// a label of SELinux
    pub selinux_label: Option<String>,
    /// how soon it is ended for lack of memory
    pub oom_score_adj: Option<i32>,
    /// how it is given processors
    pub scheduler: Option<Value>,
    /// how it is given disks
    pub io_priority: Option<Value>,
    /// processors of programs that are run beside it
    #[serde(rename = "execCPUAffinity")]
    pub exec_cpu_affinity: Option<Value>,
}

/// A user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// inside
    #[serde(default)]
    pub uid: u32,
    /// inside
    #[serde(default)]
    pub gid: u32,
    /// permissions that new files lack
    pub umask: Option<u32>,
    /// other groups, inside
    #[serde(default)]
    pub additional_gids: Vec<u32>,
}

/// Rights by set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Capabilities {
    /// what it can ever have
    #[serde(default)]
    pub bounding: Vec<String>,
    /// what it has
    #[serde(default)]
    pub effective: Vec<String>,
    /// what programs that it runs may have
    #[serde(default)]
    pub inheritable: Vec<String>,
    /// what it can take
    #[serde(default)]
    pub permitted: Vec<String>,
    /// what programs that it runs have
    #[serde(default)]
    pub ambient: Vec<String>,
}

impl Capabilities {
    /// Every set, with its name.
    pub fn sets(&self) -> [(&'static str, &[String]); 5] {
        [
            ("bounding", &self.bounding),
            ("effective", &self.effective),
            ("inheritable", &self.inheritable),
            ("permitted", &self.permitted),
            ("ambient", &self.ambient),
        ]
    }
}

/// A limit of each process.
#[derive(Clone, Debug, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_…`
    #[serde(rename = "type")]
    pub kind: String,
    /// what it may raise it to
    pub hard: u64,
    /// what it is
    pub soft: u64,
}

/// A mount.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// inside
    pub destination: String,
    /// which file system
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// of what
    pub source: Option<PathBuf>,
    /// how
    #[serde(default)]
    pub options: Vec<String>,
    /// other ids of its files
    pub uid_mappings: Option<Value>,
    /// other ids of its files
    pub gid_mappings: Option<Value>,
}

/// Programs that are run for a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hooks {
    /// by `create`, before all others
    pub prestart: Vec<Hook>,
    /// by `create`
    pub create_runtime: Vec<Hook>,
    /// by `create`, after these
    pub create_container: Vec<Hook>,
    /// by `start`, inside
    pub start_container: Vec<Hook>,
    /// by `start`, when its program runs
    pub poststart: Vec<Hook>,
    /// by `delete`
    pub poststop: Vec<Hook>,
}

/// A program that is run for a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// absolute
    pub path: PathBuf,
    /// its name and arguments
    #[serde(default)]
    pub args: Vec<String>,
    /// its variables
    pub env: Option<Vec<String>>,
    /// seconds until it is ended
    pub timeout: Option<u32>,
}

impl Config {
    /// Reads the configuration of the bundle in `bundle`.
    ///
    /// # Errors
    /// `Io`, `Size` if it has more than [`CONFIG_BYTES_MAX`] bytes, `Json`.
    pub fn read(bundle: &Path) -> Result<Config, OciError> {
        let path = bundle.join(CONFIG_FILE);
        let file = File::open(&path).map_err(io_error(&path))?;
        let meta = file.metadata().map_err(io_error(&path))?;
        if !meta.is_file() {
            let source = std::io::Error::other("it is no regular file");
            return Err(OciError::Io { path, source });
        }
        let mut bytes = Vec::new();
        // By what is read, not by what the file says of itself.
        file.take(CONFIG_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(io_error(&path))?;
        if bytes.len() as u64 > CONFIG_BYTES_MAX {
            return Err(OciError::Size {
                path,
                found: meta.len(),
                most: CONFIG_BYTES_MAX,
            });
        }
        Config::parse(&bytes).map_err(|source| OciError::Json { path, source })
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Where it is not JSON, or a property is not of its type. Values within values end at a depth of 128.
    pub fn parse(bytes: &[u8]) -> Result<Config, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
