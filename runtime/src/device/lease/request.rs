//! What is asked for: `0`, `GPU-8932f937`, `MIG-…`, `0,3`, `auto`, `auto:2`.

use super::{Device, LeaseError};
use std::str::FromStr;

/// What a lease is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// So many that are ready and free.
    Auto(usize),
    /// These: indices, or UUIDs of GPUs or MIG instances, or how only one of those begins.
    Named(Vec<String>),
}

/// Why a text asks for no GPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no GPU; write auto, auto:2, or indices and UUIDs such as 0,GPU-8932f937")]
pub struct ParseRequestError(String);

impl FromStr for Request {
    type Err = ParseRequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseRequestError(text.to_owned());
        if text == "auto" {
            return Ok(Self::Auto(1));
        }
        if let Some(count) = text.strip_prefix("auto:") {
            let count: usize = count.parse().map_err(|_| bad())?;
            return if count == 0 {
                Err(bad())
            } else {
                Ok(Self::Auto(count))
            };
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let fits = |name: &String| {
            let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
            digits || name.starts_with("GPU-") || name.starts_with("MIG-")
        };
        match names.iter().all(fits) {
            true => Ok(Self::Named(names)),
            false => Err(bad()),
        }
    }
}

/// The device that `name` means.
pub(super) fn find<'a>(devices: &[Device<'a>], name: &str) -> Result<Device<'a>, LeaseError> {
    if let Some(exact) = devices.iter().find(|device| device.uuid() == name) {
        return Ok(*exact);
    }
    let index = name.parse::<u32>();
    let means = |device: &&Device<'a>| match &index {
        Ok(index) => device.instance.is_none() && device.gpu.index == *index,
        Err(_) => device.uuid().starts_with(name),
    };
    let found: Vec<&Device<'a>> = devices.iter().filter(means).collect();
    match found.as_slice() {
        [one] => Ok(**one),
        [] => {
            let known: Vec<_> = devices.iter().map(Device::uuid).collect();
            Err(LeaseError::Unknown {
                name: name.to_owned(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            })
        }
        several => Err(LeaseError::Ambiguous {
            name: name.to_owned(),
            among: several
                .iter()
                .map(|device| device.uuid().to_owned())
                .collect(),
        }),
    }
}
