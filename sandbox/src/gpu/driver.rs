//! The driver that is loaded: its version, the libraries of that very version, and its device numbers.
//!
//! A job's program loads these libraries, so they must match the kernel module to the last digit. They are the host's, found before
//! anything of the job is opened; what the image has under such names is never looked at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::GpuError;
use super::error::io_error;
use super::proc;

/// Where libraries lie, below the root, first one first: Debian, Fedora, others, Debian's alternatives, what a container engine adds, NixOS.
const LIBRARY_FOLDERS: [&str; 7] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/x86_64-linux-gnu/nvidia/current",
    "usr/lib/nvidia",
    "usr/local/nvidia/lib64",
    "run/opengl-driver/lib",
];

/// Where programs lie.
const PROGRAM_FOLDERS: [&str; 4] = [
    "usr/bin",
    "bin",
    "usr/local/bin",
    "run/current-system/sw/bin",
];

/// Libraries that computing needs, and whether nothing works without: the driver's interface, management, compilers of PTX and NVVM and what
/// they share, OpenCL, memory of other devices, encryption of links. Not the debugger's, and nothing that draws.
const LIBRARIES: [(&str, bool); 11] = [
    ("libcuda", true),
    ("libnvidia-ml", true),
    ("libnvidia-ptxjitcompiler", true),
    ("libnvidia-nvvm", false),
    ("libnvidia-nvvm70", false),
    ("libnvidia-gpucomp", false),
    ("libnvidia-opencl", false),
    ("libnvidia-allocator", false),
    ("libnvidia-cfg", false),
    ("libnvidia-pkcs11", false),
    ("libnvidia-pkcs11-openssl3", false),
];

/// Programs that jobs are given: they only ask.
const PROGRAMS: [&str; 1] = ["nvidia-smi"];

/// Names of the driver's first kind of devices, in drivers of all ages, and their number where the kernel does not list it.
const FRONT: ([&str; 3], u32) = (["nvidia-frontend", "nvidia", "nvidiactl"], 195);

/// The driver that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// below which all of it was found
    pub root: PathBuf,
    /// of the kernel module, and of all libraries
    pub version: String,
    /// libraries
    pub libraries: Vec<Library>,
    /// programs by name
    pub programs: Vec<(String, PathBuf)>,
    /// `/proc/driver/nvidia/version`, as it is
    pub version_text: String,
    /// `/proc/driver/nvidia/params`, as it is
    pub params_text: String,
    /// major number of GPUs and of the control node
    pub front_major: u32,
    /// major number of unified memory, which differs from boot to boot
    pub uvm_major: Option<u32>,
    /// major number of rights on instances
    pub caps_major: Option<u32>,
}

/// A library of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// a regular file
    pub path: PathBuf,
    /// its name, which ends in the version
    pub name: String,
    /// other names by which programs look for it
    pub links: Vec<String>,
}

/// The version of the driver that is loaded below `root`, and the file that says so.
pub(super) fn loaded(root: &Path) -> Result<(String, String), GpuError> {
    let path = root.join("proc/driver/nvidia/version");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(GpuError::NotLoaded(path));
        }
        other => other.map_err(io_error(&path))?,
    };
    match proc::driver_version(&text) {
        Some(version) => Ok((version.to_owned(), text)),
        None => Err(GpuError::Version { path, text }),
    }
}

impl Driver {
    /// Looks for the driver below `root`, `/` as a rule.
    ///
    /// # Errors
    /// `NotLoaded` without a kernel module; `Mismatch`, `NoLibrary`, `Elsewhere` about its libraries.
    pub fn find(root: &Path) -> Result<Driver, GpuError> {
        let root = root.canonicalize().map_err(io_error(root))?;
        let (version, version_text) = loaded(&root)?;
        let folder = library_folder(&root, &version)?;
        let mut libraries = Vec::new();
        for (stem, required) in LIBRARIES {
            match library(&root, &folder, stem, &version)? {
                Some(library) => libraries.push(library),
                None if required => {
                    return Err(GpuError::NoLibrary {
                        name: format!("{stem}.so.{version}"),
                        version,
                        searched: vec![folder],
                    });
                }
                None => {}
            }
        }
        let mut programs = Vec::new();
        for name in PROGRAMS {
            let places = PROGRAM_FOLDERS.map(|folder| root.join(folder).join(name));
            if let Some(path) = places.iter().find(|path| path.exists()) {
                programs.push((name.to_owned(), regular(&root, path, None)?));
            }
        }
        let devices = root.join("proc/devices");
        let devices = fs::read_to_string(&devices).map_err(io_error(devices))?;
        let params = root.join("proc/driver/nvidia/params");
        Ok(Driver {
            version,
            libraries,
            programs,
            version_text,
            params_text: fs::read_to_string(&params).unwrap_or_default(),
            front_major: FRONT
                .0
                .iter()
                .find_map(|name| proc::major(&devices, name))
                .unwrap_or(FRONT.1),
            uvm_major: proc::major(&devices, "nvidia-uvm"),
            caps_major: proc::major(&devices, "nvidia-caps"),
            root,
        })
    }

    /// The management library.
    pub fn management_library(&self) -> Option<&Path> {
        let mut libraries = self.libraries.iter();
        let found = libraries.find(|library| library.name.starts_with("libnvidia-ml.so."));
        found.map(|library| library.path.as_path())
    }
}

/// The folder of `libcuda`, which has to be of the version that is loaded.
fn library_folder(root: &Path, version: &str) -> Result<PathBuf, GpuError> {
    let places = LIBRARY_FOLDERS.map(|folder| root.join(folder));
    let Some(found) = places
        .iter()
        .map(|folder| folder.join("libcuda.so.1"))
        .find(|path| path.exists())
    else {
        return Err(GpuError::NoLibrary {
            name: "libcuda.so.1".to_owned(),
            version: version.to_owned(),
            searched: places.into(),
        });
    };
    let library = regular(root, &found, None)?;
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    match name.strip_prefix("libcuda.so.") {
        Some(found) if found == version => {}
        found => {
            let found = found.unwrap_or(&name).to_owned();
            return Err(GpuError::Mismatch {
                library,
                found,
                loaded: version.to_owned(),
            });
        }
    }
    Ok(library.parent().unwrap_or(root).to_owned())
}

/// The library `stem` of `version` in `folder`, if it is there.
fn library(
    root: &Path,
    folder: &Path,
    stem: &str,
    version: &str,
) -> Result<Option<Library>, GpuError> {
    let name = format!("{stem}.so.{version}");
    let path = folder.join(&name);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    let path = regular(root, &path, Some(&name))?;
    let mut links = vec![format!("{stem}.so"), format!("{stem}.so.1")];
    // The name under which it is linked may end in another number, which only the host's own links tell.
    for entry in fs::read_dir(folder).map_err(io_error(folder))?.flatten() {
        let Ok(other) = entry.file_name().into_string() else {
            continue;
        };
        let number = other
            .strip_prefix(stem)
            .and_then(|rest| rest.strip_prefix(".so."));
        let is_number =
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        if is_number
            && !links.contains(&other)
            && entry.path().canonicalize().is_ok_and(|it| it == path)
        {
            links.push(other);
        }
    }
    links.sort();
    Ok(Some(Library { path, name, links }))
}

/// The regular file that `path` leads to: below `root`, and called `name` where that is given.
fn regular(root: &Path, path: &Path, name: Option<&str>) -> Result<PathBuf, GpuError> {
    let elsewhere = |leads_to: PathBuf| GpuError::Elsewhere {
        path: path.to_owned(),
        leads_to,
        root: root.to_owned(),
    };
    let leads_to = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(elsewhere(fs::read_link(path).unwrap_or_default()));
        }
        other => other.map_err(io_error(path))?,
    };
    let named = name.is_none_or(|name| leads_to.file_name().is_some_and(|found| found == name));
    let is_file = fs::metadata(&leads_to).is_ok_and(|meta| meta.is_file());
    if leads_to.starts_with(root) && named && is_file {
        Ok(leads_to)
    } else {
        Err(elsewhere(leads_to))
    }
}
