//! Xid errors as they happen.

use super::nvml::{Nvml, ReadError};
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::event::EventSet;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Something happened to a GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GpuEvent {
    /// Whose; `None` if it could not say any more.
    pub uuid: Option<String>,
    /// The Xid's number; 999 if the driver does not tell.
    pub xid: u64,
}

/// Listens to all GPUs that can be listened to.
///
/// Only what happens from then on is heard: the driver keeps no Xid for those who come later.
#[derive(Debug)]
pub struct Listener<'nvml> {
    set: EventSet<'nvml>,
}

impl<'nvml> Listener<'nvml> {
    /// Begins to listen.
    ///
    /// # Errors
    /// `MissingFunction` if the driver cannot do that, `NotSupported` if none of its GPUs can.
    pub fn new(nvml: &'nvml Nvml) -> Result<Self, ReadError> {
        let raw = nvml.get();
        // Whatever the wrapper does with a set ends in this function, and where it is missing in a panic.
        if let Err(error) = &raw.lib().nvmlEventSetFree {
            return Err(ReadError::MissingFunction(error.to_string()));
        }
        let able: Vec<u32> = (0..raw.device_count()?)
            .filter(|index| {
                let device = raw.device_by_index(*index);
                let types = device.and_then(|device| device.supported_event_types());
                types.is_ok_and(|types| types.contains(EventTypes::CRITICAL_XID_ERROR))
            })
            .collect();
        let mut set = raw.create_event_set()?;
        let mut listening = false;
        let mut refused = Vec::new();
        let mut next = 0;
        while let Some(&index) = able.get(next) {
            next += 1;
            if refused.contains(&index) {
                continue;
            }
            let device = raw.device_by_index(index)?;
            match device.register_events(EventTypes::CRITICAL_XID_ERROR, set) {
                Ok(registered) => {
                    set = registered;
                    listening = true;
                }
                Err(_) => {
                    // The wrapper gave the set up with this GPU: the others are registered anew.
                    refused.push(index);
                    set = raw.create_event_set()?;
                    (next, listening) = (0, false);
                }
            }
        }
        match listening {
            true => Ok(Self { set }),
            false => Err(ReadError::NotSupported),
        }
    }

    /// The next event, or `None` when there was none for `timeout`.
    ///
    /// # Errors
    /// `Lost` if a GPU is gone, or what else the driver answered.
    pub fn wait(&self, timeout: Duration) -> Result<Option<GpuEvent>, ReadError> {
        let ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        match self.set.wait(ms) {
            Ok(event) => Ok(event.event_data.map(|xid| GpuEvent {
                uuid: event.device.uuid().ok(),
                xid: match xid {
                    XidError::Value(code) => code,
                    XidError::Unknown => 999,
                },
            })),
            Err(NvmlError::Timeout) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All events until there was none for `quiet`; at most for `longest`.
    pub fn drain(&self, quiet: Duration, longest: Duration) -> Vec<GpuEvent> {
        let begin = Instant::now();
        let mut events = Vec::new();
        while begin.elapsed() < longest {
            match self.wait(quiet) {
                Ok(Some(event)) => events.push(event),
                Ok(None) | Err(_) => break,
            }
        }
        events
    }
}
