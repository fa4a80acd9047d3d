//! From a UUID to the device nodes that a job needs for it, each looked at: a node of another device is refused.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use gradus_jail::plan::GpuInstance;

use super::driver::Driver;
use super::error::io_error;
use super::proc::{self, Information};
use super::told::{Nvml, Told};
use super::{GpuError, Request};

/// A GPU or an instance that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// its UUID
    pub uuid: String,
    /// its place on the bus, as the kernel writes it
    pub pci: String,
    /// N of `/dev/nvidiaN`
    pub minor: u32,
    /// which part of it
    pub instance: Option<GpuInstance>,
    /// its file of `/proc/driver/nvidia/gpus`
    pub information: String,
    /// its node, and those that give rights on an instance
    pub nodes: Vec<Node>,
    /// files of `/proc/driver/nvidia` that tell of those rights, by path below it
    pub capabilities: Vec<(String, String)>,
    /// lines of `mig-minors` that belong to it
    pub mig_minors: Vec<(String, u32)>,
}

/// A device node of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// on the host
    pub path: PathBuf,
    /// below `/dev`
    pub name: String,
    /// major number
    pub major: u32,
    /// minor number
    pub minor: u32,
}

/// A GPU, as the kernel's driver lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// its file
    pub text: String,
    /// what it says
    pub information: Information,
}

/// All GPUs of the driver below `root`, by place on the bus.
pub fn listed(root: &Path) -> Result<Vec<Listed>, GpuError> {
    let folder = root.join("proc/driver/nvidia/gpus");
    let mut listed = Vec::new();
    for entry in fs::read_dir(&folder).map_err(io_error(&folder))? {
        let path = entry.map_err(io_error(&folder))?.path().join("information");
        let text = fs::read_to_string(&path).map_err(io_error(&path))?;
        listed.extend(proc::information(&text).map(|information| Listed { text, information }));
    }
    listed.sort_by(|one, other| one.information.pci.cmp(&other.information.pci));
    Ok(listed)
}

/// The devices that `requests` name, in that order, and the nodes that all GPUs share.
///
/// # Errors
/// About what was asked for: `Unknown`, `Ambiguous`, `Twice`, `Cut`. About the host: nodes that are missing or another device.
pub fn find(
    driver: &Driver,
    nvml: &dyn Nvml,
    requests: &[Request],
) -> Result<(Vec<Node>, Vec<Device>), GpuError> {
    let listed = listed(&driver.root)?;
    let told = nvml.gpus().map_err(|source| GpuError::Nvml {
        what: "this host's GPUs".to_owned(),
        source,
    })?;
    let mut devices: Vec<Device> = Vec::new();
    for request in requests {
        let device = one(driver, &listed, &told, &request.uuid)?;
        if devices.iter().any(|other| other.uuid == device.uuid) {
            return Err(GpuError::Twice(device.uuid));
        }
        devices.push(device);
    }
    Ok((shared_nodes(driver)?, devices))
}

/// The control node and unified memory: every program that computes opens them.
pub(super) fn shared_nodes(driver: &Driver) -> Result<Vec<Node>, GpuError> {
    let help = "`nvidia-modprobe -u -c 0` loads the module nvidia_uvm and makes its node";
    let uvm = driver.uvm_major.ok_or(GpuError::NoMajor {
        name: "nvidia-uvm",
        help,
    })?;
    Ok(vec![
        node(
            driver,
            "nvidiactl",
            driver.front_major,
            255,
            "`nvidia-modprobe` makes it",
        )?,
        node(driver, "nvidia-uvm", uvm, 0, help)?,
    ])
}

fn one(driver: &Driver, listed: &[Listed], told: &[Told], asked: &str) -> Result<Device, GpuError> {
    let names: Vec<&str> = told
        .iter()
        .flat_map(|gpu| {
            let instances = gpu.instances.iter().map(|instance| instance.uuid.as_str());
            std::iter::once(gpu.uuid.as_str()).chain(instances)
        })
        .collect();
    let uuid = named(&names, asked)?;
    let has_it = |gpu: &&Told| {
        gpu.uuid == uuid || gpu.instances.iter().any(|instance| instance.uuid == uuid)
    };
    let gpu = told.iter().find(has_it).expect("it is one of the names");
    // The kernel's own list says the minor number; it may not know the UUID of a GPU that was never used.
    let of_gpu = |it: &&Listed| match &it.information.uuid {
        Some(uuid) => *uuid == gpu.uuid,
        None => proc::same_place(&it.information.pci, &gpu.pci),
    };
    let found = listed
        .iter()
        .find(of_gpu)
        .ok_or_else(|| GpuError::Unknown {
            uuid: uuid.to_owned(),
            known: "the management library shows it, the kernel's driver does not list it"
                .to_owned(),
        })?;
    let minor = found.information.minor;
    let mut device = Device {
        uuid: uuid.to_owned(),
        pci: found.information.pci.clone(),
        minor,
        instance: None,
        information: found.text.clone(),
        nodes: vec![node(
            driver,
            &format!("nvidia{minor}"),
            driver.front_major,
            minor,
            "`nvidia-modprobe -c N` makes it",
        )?],
        capabilities: Vec::new(),
        mig_minors: Vec::new(),
    };
    match gpu.instances.iter().find(|instance| instance.uuid == uuid) {
        Some(instance) => add_instance(driver, gpu, instance.numbers, &mut device)?,
        None if gpu.cut => {
            return Err(GpuError::Cut {
                uuid: uuid.to_owned(),
                instances: names[..]
                    .iter()
                    .filter(|name| gpu.instances.iter().any(|it| it.uuid == **name))
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        None => {}
    }
    Ok(device)
}

/// The name that `asked` is, or that it alone begins.
fn named<'a>(names: &[&'a str], asked: &str) -> Result<&'a str, GpuError> {
    if let Some(exact) = names.iter().find(|name| **name == asked) {
        return Ok(exact);
    }
    // The prefix that all have names none.
    let begins: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| asked.len() > "GPU-".len() && name.starts_with(asked))
        .collect();
    match begins[..] {
        [one] => Ok(one),
        [] => Err(GpuError::Unknown {
            uuid: asked.to_owned(),
            known: match names {
                [] => "none".to_owned(),
                names => names.join(", "),
            },
        }),
        _ => Err(GpuError::Ambiguous {
            uuid: asked.to_owned(),
            among: begins.join(", "),
        }),
    }
}

fn add_instance(
    driver: &Driver,
    gpu: &Told,
    numbers: Option<(u32, u32)>,
    device: &mut Device,
) -> Result<(), GpuError> {
    let wrong = |what: String| GpuError::Instance {
        uuid: device.uuid.clone(),
        what,
    };
    let (gpu_instance, compute_instance) = numbers.ok_or_else(|| {
        wrong("which instance of its GPU it is was not told\nhelp: install nvidia-smi, which is asked for that".to_owned())
    })?;
    let major = driver.caps_major.ok_or(GpuError::NoMajor {
        name: "nvidia-caps",
        help: "instances need the driver 450 or newer",
    })?;
    let path = driver.root.join("proc/driver/nvidia-caps/mig-minors");
    let text = fs::read_to_string(&path).map_err(io_error(&path))?;
    let minors = proc::mig_minors(&text);
    let gpu_minor = device.minor;
    let below = format!("gi{gpu_instance}");
    let mut nodes = Vec::new();
    for part in [below.clone(), format!("{below}/ci{compute_instance}")] {
        let name = format!("gpu{gpu_minor}/{part}/access");
        let minor = *minors
            .get(name.as_str())
            .ok_or_else(|| wrong(format!("{} does not list {name}", path.display())))?;
        nodes.push(node(
            driver,
            &format!("nvidia-caps/nvidia-cap{minor}"),
            major,
            minor,
            "`nvidia-modprobe -f /proc/driver/nvidia/capabilities/gpuN/mig/giN/access` makes it",
        )?);
        let file = format!("capabilities/gpu{gpu_minor}/mig/{part}/access");
        let text = format!("DeviceFileMinor: {minor}\nDeviceFileMode: 292\nDeviceFileModify: 0\n");
        device.capabilities.push((file, text));
        device.mig_minors.push((name, minor));
    }
    device.nodes.extend(nodes);
    device.instance = Some(GpuInstance {
        of: gpu.uuid.clone(),
        gpu_instance,
        compute_instance,
    });
    Ok(())
}

/// The node `name` below `/dev`, which has to be that very device.
fn node(
    driver: &Driver,
    name: &str,
    major: u32,
    minor: u32,
    help: &'static str,
) -> Result<Node, GpuError> {
    let path = driver.root.join("dev").join(name);
    // Not through a link: what is mounted is what was looked at.
    let Ok(meta) = fs::symlink_metadata(&path) else {
        return Err(GpuError::NoNode { path, help });
    };
    let found = (
        rustix::fs::major(meta.rdev()),
        rustix::fs::minor(meta.rdev()),
    );
    if !meta.file_type().is_char_device() || found != (major, minor) {
        let found = match meta.file_type() {
            kind if kind.is_char_device() => {
                format!("the character device {}:{}", found.0, found.1)
            }
            kind if kind.is_symlink() => "a symbolic link".to_owned(),
            _ => "no character device".to_owned(),
        };
        return Err(GpuError::Node {
            path,
            found,
            major,
            minor,
        });
    }
    Ok(Node {
        path,
        name: name.to_owned(),
        major,
        minor,
    })
}
