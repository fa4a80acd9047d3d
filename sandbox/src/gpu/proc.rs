//! The driver's files below `/proc`, read. Pure. The kernel writes them, and a job cannot.

use std::collections::BTreeMap;

/// The version in `/proc/driver/nvidia/version`: the first word of its first line that is a number with points.
pub fn driver_version(text: &str) -> Option<&str> {
    let line = text.lines().next()?.strip_prefix("NVRM version:")?;
    let is_version = |word: &&str| {
        word.contains('.')
            && word
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    line.split_whitespace().find(is_version)
}

/// A GPU's `information` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Information {
    /// its UUID; the driver knows it only once the GPU has been used
    pub uuid: Option<String>,
    /// `domain:bus:device.function`
    pub pci: String,
    /// N of `/dev/nvidiaN`, which is not CUDA's index
    pub minor: u32,
}

/// Reads `/proc/driver/nvidia/gpus/*/information`; none if it lacks a place on the bus or a minor number.
pub fn information(text: &str) -> Option<Information> {
    let field = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    };
    Some(Information {
        uuid: field("GPU UUID")
            .filter(|uuid| uuid.starts_with("GPU-") && !uuid.contains('?'))
            .map(str::to_owned),
        pci: field("Bus Location")?.to_owned(),
        minor: field("Device Minor")?.parse().ok()?,
    })
}

/// The major number of the character devices `name` in `/proc/devices`.
pub fn major(text: &str, name: &str) -> Option<u32> {
    let characters = text.lines().take_while(|line| *line != "Block devices:");
    characters
        .filter_map(|line| line.trim().split_once(' '))
        .find_map(|(number, found)| (found == name).then(|| number.parse().ok())?)
}

/// Minor numbers of the nodes that give rights on instances: `/proc/driver/nvidia-caps/mig-minors`, of all instances that there could be.
pub fn mig_minors(text: &str) -> BTreeMap<&str, u32> {
    text.lines()
        .filter_map(|line| line.trim().rsplit_once(' '))
        .filter_map(|(name, minor)| Some((name, minor.parse().ok()?)))
        .collect()
}

/// `/proc/driver/nvidia/params` as a job sees it: whoever reads it does not make device nodes.
pub fn params(text: &str) -> String {
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("ModifyDeviceFiles:"));
    let mut params: String = kept.map(|line| format!("{line}\n")).collect();
    params.push_str("ModifyDeviceFiles: 0\n");
    params
}

/// Whether two places on the bus are one: the management library writes `00000000:1A:00.0` for the kernel's `0000:1a:00.0`.
pub fn same_place(one: &str, other: &str) -> bool {
    let parts = |place: &str| {
        let (domain, rest) = place.split_once(':')?;
        let domain = u32::from_str_radix(domain, 16).ok()?;
        Some((domain, rest.to_ascii_lowercase()))
    };
    parts(one).is_some() && parts(one) == parts(other)
}
