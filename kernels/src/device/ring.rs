//! Weights on their way to a device while it computes: a few slots, filled in turn.
//!
//! ```text
//! host      fill slot 0      fill slot 1      (slot 0's use is over)  fill slot 0 ...
//! copies            slot 0 ─────►    slot 1 ─────►
//! compute                    reads slot 0            reads slot 1
//! ```
//!
//! Copies run on a stream of their own. A slot is filled again only when the device is done with it, so the host is never more
//! than the slots ahead.

use super::buffer::{DeviceBuffer, DeviceView};
use super::error::DeviceError;
use super::gpu::Gpu;
use super::pinned::Pinned;
use super::stream::{Event, Stream};
use std::sync::Arc;

/// Slots of pinned host memory, each with device memory of the same size.
#[derive(Debug)]
pub struct UploadRing {
    copies: Stream,
    what: &'static str,
    slots: Vec<Slot>,
    next: usize,
}

#[derive(Debug)]
struct Slot {
    staging: Pinned,
    memory: DeviceBuffer<u8>,
    uploaded: Option<Event>,
    used: Option<Event>,
}

/// What was sent last to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    slot: usize,
    bytes: usize,
}

impl UploadRing {
    /// A ring of `slots` slots, which grow as they must. `what` they hold, for errors.
    ///
    /// # Errors
    /// If the driver refuses.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn new(gpu: &Arc<Gpu>, what: &'static str, slots: usize) -> Result<Self, DeviceError> {
        assert!(slots > 0, "a ring has slots");
        let copies = gpu.stream()?;
        let slots = (0..slots)
            .map(|_| {
                Ok(Slot {
                    staging: Pinned::new(gpu, 0)?,
                    memory: copies.alloc(what, 0)?,
                    uploaded: None,
                    used: None,
                })
            })
            .collect::<Result<_, DeviceError>>()?;
        Ok(Self {
            copies,
            what,
            slots,
            next: 0,
        })
    }

    /// Fills the next slot on the host and sends it. Waits until the device is done with what the slot held.
    ///
    /// # Errors
    /// `OutOfMemory` if the slot must grow and cannot; if the device is lost.
    pub fn send(
        &mut self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Sent, DeviceError> {
        let index = self.next;
        let slot = &mut self.slots[index];
        for event in [slot.uploaded.take(), slot.used.take()]
            .into_iter()
            .flatten()
        {
            event.synchronize()?;
        }
        if slot.memory.len() < bytes {
            // The old memory goes first: the device need not hold both.
            slot.memory = self.copies.alloc(self.what, 0)?;
            slot.staging = Pinned::new(self.copies.gpu(), 0)?;
            slot.memory = self.copies.alloc(self.what, bytes)?;
            slot.staging = Pinned::new(self.copies.gpu(), bytes)?;
        }
        fill(&mut slot.staging.bytes_mut()[..bytes]);
        // SAFETY: the staging memory is written and freed only after `uploaded`, or, where that could not be recorded, after
        // the synchronisation in `drop`.
        unsafe {
            self.copies.copy_in_pinned(
                &slot.staging,
                bytes,
                &mut slot.memory.slice_mut(0..bytes),
            )?;
        }
        slot.uploaded = Some(self.copies.record(false)?);
        self.next = (index + 1) % self.slots.len();
        Ok(Sent { slot: index, bytes })
    }

    /// Lets later work of `compute` see what was sent.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn wait(&self, sent: Sent, compute: &Stream) -> Result<(), DeviceError> {
        match &self.slots[sent.slot].uploaded {
            Some(event) => compute.wait(event),
            None => Ok(()),
        }
    }

    /// What was sent, in device memory, until [`UploadRing::send`] has gone round.
    #[must_use]
    pub fn view(&self, sent: Sent) -> DeviceView<'_, u8> {
        self.slots[sent.slot].memory.slice(0..sent.bytes)
    }

    /// Says that everything which reads the slot has been given to `compute`.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn release(&mut self, sent: Sent, compute: &Stream) -> Result<(), DeviceError> {
        self.slots[sent.slot].used = Some(compute.record(false)?);
        Ok(())
    }
}

impl Drop for UploadRing {
    fn drop(&mut self) {
        // Memory is freed in the order of the copies, which comes after the last use. A lost device has nothing to wait for.
        for slot in &self.slots {
            if let Some(used) = &slot.used {
                let _ = self.copies.wait(used);
            }
        }
        let _ = self.copies.synchronize();
    }
}
