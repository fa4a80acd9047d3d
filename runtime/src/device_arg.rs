//! `--device`: what computes.

use gradus_evaluators::{Device, GpuSet};
use std::str::FromStr;

/// A device as the command line names it: `cpu`, `auto`, `cuda` or `cuda:0,1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceArg(pub Device);

impl FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no device: expected cpu, auto, cuda:0 or cuda:0,1");
        Ok(Self(match text {
            "cpu" => Device::Cpu,
            "auto" => Device::Auto,
            _ if text.starts_with("MIG-") || text.starts_with("GPU-") => {
                return Err(format!(
                    "`{text}` is a UUID, and devices go by the driver's numbers here\nhelp: CUDA_VISIBLE_DEVICES={text} makes it cuda:0"
                ));
            }
            _ => {
                let list = text.strip_prefix("cuda:").ok_or_else(expected)?;
                let mut set = GpuSet::default();
                for number in list.split(',') {
                    let ordinal: usize = number.parse().map_err(|_| expected())?;
                    if set.contains(ordinal) {
                        return Err(format!("`{text}` names GPU {ordinal} twice"));
                    }
                    set = set
                        .with(ordinal)
                        .ok_or_else(|| format!("`{text}`: GPUs are numbered from 0 to 63"))?;
                }
                Device::Gpus(set)
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_the_help_says() {
        let parse = |text: &str| text.parse::<DeviceArg>().map(|arg| arg.0);
        let set = |list: &[usize]| {
            let with = |set: GpuSet, &gpu: &usize| set.with(gpu).unwrap();
            Device::Gpus(list.iter().fold(GpuSet::default(), with))
        };
        assert_eq!(parse("cpu"), Ok(Device::Cpu));
        assert_eq!(parse("auto"), Ok(Device::Auto));
        assert_eq!(parse("cuda:3"), Ok(set(&[3])));
        assert_eq!(parse("cuda:0,12"), Ok(set(&[0, 12])));
        for bad in [
            "", "gpu", "cuda", "cuda:", "cuda:1,", "cuda:-1", "cuda:64", "cuda:1,1", "CPU",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for uuid in ["MIG-11111111-2222", "GPU-8932f937"] {
            let error = parse(uuid).unwrap_err();
            assert!(error.contains(&format!("CUDA_VISIBLE_DEVICES={uuid}")));
        }
    }
}
