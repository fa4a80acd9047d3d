//! A driver that is files: what the kernel module shows below `/proc`, device nodes, libraries with the version in their names.
//!
//! Nodes are harmless devices of the kernel's memory driver (major number 1) under the names of GPUs: with minor number 3 it is `/dev/null`
//! that is called `nvidia3`, with 5 `/dev/zero`, with 11 the kernel's log. The control node is number 255 of it, which no driver has. To make
//! nodes takes root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::Variant;

/// Version of the driver and of its libraries.
pub const VERSION: &str = "580.95.05";

/// Major number of what stands for GPUs.
pub const FRONT_MAJOR: u32 = 1;
/// Of unified memory; the kernel keeps this number and the next for experiments, so no device of it is there.
pub const UVM_MAJOR: u32 = 120;
/// Of rights on instances.
pub const CAPS_MAJOR: u32 = 121;

/// Where libraries lie below the root.
pub const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// One GPU.
#[derive(Clone, Copy, Debug)]
pub struct Gpu {
    /// `GPU-…`
    pub uuid: &'static str,
    /// `domain:bus:device.function`
    pub pci: &'static str,
    /// N of `/dev/nvidiaN`
    pub minor: u32,
}

/// The root of such a driver, which goes when this does.
#[derive(Debug)]
pub struct DriverRoot {
    directory: tempfile::TempDir,
}

impl DriverRoot {
    /// A driver with these GPUs, all idle. None where this user cannot make device nodes.
    ///
    /// # Panics
    /// If files cannot be written.
    #[must_use]
    pub fn new(gpus: &[Gpu]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let root = Self { directory };
        root.write(
            "proc/driver/nvidia/version",
            &format!(
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build  (builder@host)\n\
                 GCC version:  gcc version 11.4.0\n"
            ),
        );
        root.write(
            "proc/driver/nvidia/params",
            "ResmanDebugLevel: 4294967295\nModifyDeviceFiles: 1\nDeviceFileMode: 438\n",
        );
        root.write(
            "proc/devices",
            &format!(
                "Character devices:\n  {FRONT_MAJOR} nvidia\n  {FRONT_MAJOR} nvidiactl\n  {CAPS_MAJOR} nvidia-caps\n  {UVM_MAJOR} nvidia-uvm\n\n\
                 Block devices:\n  9 nvidia-uvm\n"
            ),
        );
        for gpu in gpus {
            root.write(
                &format!("proc/driver/nvidia/gpus/{}/information", gpu.pci),
                &format!(
                    "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 18\nGPU UUID: \t {}\nBus Type: \t PCIe\n\
                     Bus Location: \t {}\nDevice Minor: \t {}\nGPU Excluded:\t No\n",
                    gpu.uuid, gpu.pci, gpu.minor
                ),
            );
            root.node(&format!("dev/nvidia{}", gpu.minor), FRONT_MAJOR, gpu.minor)?;
        }
        for (name, major, minor) in [
            ("nvidiactl", FRONT_MAJOR, 255),
            ("nvidia-modeset", FRONT_MAJOR, 254),
            ("nvidia-uvm", UVM_MAJOR, 0),
            ("nvidia-uvm-tools", UVM_MAJOR, 1),
            ("nvidia-caps/nvidia-cap1", CAPS_MAJOR, 1),
            ("nvidia-caps/nvidia-cap2", CAPS_MAJOR, 2),
            ("nvidia-caps/nvidia-cap12", CAPS_MAJOR, 12),
            ("nvidia-caps/nvidia-cap13", CAPS_MAJOR, 13),
        ] {
            root.node(&format!("dev/{name}"), major, minor)?;
        }
        for stem in [
            "libcuda",
            "libnvidia-ml",
            "libnvidia-ptxjitcompiler",
            "libnvidia-nvvm",
            "libcudadebugger",
        ] {
            root.library(stem, VERSION);
        }
        root.link(
            &format!("{LIBRARIES}/libnvidia-nvvm.so.4"),
            &format!("libnvidia-nvvm.so.{VERSION}"),
        );
        fs::copy(
            Variant::Current.directory().join("libnvidia-ml.so.1"),
            root.path()
                .join(format!("{LIBRARIES}/libnvidia-ml.so.{VERSION}")),
        )
        .expect("the stub is there");
        root.write(
            "usr/bin/nvidia-smi",
            "#!/bin/sh\ncat \"$(dirname \"$0\")/../lib/nvidia-smi.xml\"\n",
        );
        fs::set_permissions(
            root.path().join("usr/bin/nvidia-smi"),
            fs::Permissions::from_mode(0o755),
        )
        .expect("ours");
        // What must never be seen in a job.
        for socket in [
            "run/nvidia-persistenced/socket",
            "run/nvidia-fabricmanager/socket",
            "tmp/nvidia-mps/control",
        ] {
            root.write(socket, "a daemon's");
        }
        let idle: String = gpus
            .iter()
            .map(|gpu| {
                format!(
                    "gpu\nuuid {}\nbus {}\nminor {}\n",
                    gpu.uuid, gpu.pci, gpu.minor
                )
            })
            .collect();
        root.change(&idle);
        Some(root)
    }

    /// Below which everything is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The management library says what `scenario` does from now on.
    ///
    /// # Panics
    /// If files cannot be written.
    pub fn change(&self, scenario: &str) {
        let folder = self.path().join(LIBRARIES);
        fs::write(folder.join("scenario.next"), scenario).expect("the root takes files");
        fs::rename(folder.join("scenario.next"), folder.join("scenario")).expect("one directory");
    }

    /// A file with its folders.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A link, in place of what is there.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn link(&self, path: &str, to: &str) {
        let path = self.path().join(path);
        let _ = fs::remove_file(&path);
        symlink(to, path).expect("a link");
    }

    /// A library that is text, with the links by which it is looked for.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn library(&self, stem: &str, version: &str) {
        self.write(&format!("{LIBRARIES}/{stem}.so.{version}"), stem);
        self.link(
            &format!("{LIBRARIES}/{stem}.so.1"),
            &format!("{stem}.so.{version}"),
        );
    }

    /// A device node; none where this user cannot make any.
    ///
    /// # Panics
    /// If its folder cannot be made.
    pub fn node(&self, path: &str, major: u32, minor: u32) -> Option<()> {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        let _ = fs::remove_file(&path);
        let mode = Mode::from_bits_truncate(0o666);
        mknodat(
            CWD,
            &path,
            FileType::CharacterDevice,
            mode,
            makedev(major, minor),
        )
        .ok()?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).ok()
    }
}
