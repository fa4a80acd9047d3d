//! Weights on their way to a device while it computes.
//!
//! ```text
//! reader    fill buffer 0    fill buffer 1    fill buffer 2    (buffer 0 was copied)  fill buffer 0 ...
//! copies                     buffer 0 to slot 0 ──►   buffer 1 to slot 1 ──►   (slot 0's use is over)  buffer 2 to slot 0 ...
//! compute                                         reads slot 0              reads slot 1
//! ```
//!
//! Buffers are pinned host memory ([`Staging`]), filled by any thread; slots are device memory. Copies run on a stream of their own and wait
//! there until the device is done with a slot, so that no thread of the host does. What holds a reader back is that a buffer is filled again
//! only when it has been copied.

use super::buffer::{DeviceBuffer, DeviceView};
use super::error::DeviceError;
use super::gpu::Gpu;
use super::pinned::Pinned;
use super::stream::{Event, Stream};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Pinned buffers that go round.
#[derive(Debug)]
pub struct Staging {
    gpu: Arc<Gpu>,
    most: usize,
    buffers: Mutex<Buffers>,
    returned: Condvar,
}

/// Which buffers there are.
#[derive(Debug, Default)]
struct Buffers {
    /// Buffers that nobody holds, each with the copy out of it that must be over first.
    free: VecDeque<(Pinned, Option<Arc<Event>>)>,
    made: usize,
}

/// A pinned buffer, to be filled.
#[derive(Debug)]
pub struct Staged {
    staging: Arc<Staging>,
    /// Taken when it goes back.
    buffer: Option<Pinned>,
    bytes: usize,
    copied: Option<Arc<Event>>,
}

impl Staging {
    /// At most `most` buffers, made when they are wanted.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn new(gpu: &Arc<Gpu>, most: usize) -> Arc<Self> {
        assert!(most > 0, "somebody wants a buffer");
        Arc::new(Self {
            gpu: gpu.clone(),
            most,
            buffers: Mutex::default(),
            returned: Condvar::new(),
        })
    }

    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer of `bytes` bytes, which may hold anything. Waits until one is there and has been copied.
    ///
    /// # Errors
    /// If the host cannot lock that much memory, or the device is lost.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Staged, DeviceError> {
        let mut buffers = self.buffers();
        let taken = loop {
            // One that has been copied, else another one, else the one that will be copied first.
            let copied = |copy: &Option<Arc<Event>>| copy.as_ref().is_none_or(|c| c.is_reached());
            let ready = buffers.free.iter().position(|(_, copy)| copied(copy));
            if let Some(ready) = ready {
                break buffers.free.remove(ready);
            }
            if buffers.made < self.most {
                buffers.made += 1;
                break None;
            }
            if let Some(first) = buffers.free.pop_front() {
                break Some(first);
            }
            buffers = self
                .returned
                .wait(buffers)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(buffers);
        let mut staged = Staged {
            staging: self.clone(),
            buffer: None,
            bytes,
            copied: None,
        };
        if let Some((buffer, copied)) = taken {
            staged.buffer = Some(buffer);
            staged.copied = copied;
        }
        if let Some(copied) = &staged.copied {
            copied.synchronize()?;
        }
        staged.copied = None;
        if staged
            .buffer
            .as_ref()
            .is_none_or(|b| b.bytes().len() < bytes)
        {
            // The old one goes first: the host need not lock both.
            staged.buffer = None;
            staged.buffer = Some(Pinned::new(&self.gpu, bytes)?);
        }
        Ok(staged)
    }
}

impl Staged {
    /// Its bytes.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let buffer = self.buffer.as_mut().expect("held until it goes back");
        &mut buffer.bytes_mut()[..self.bytes]
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut buffers = self.staging.buffers();
        match self.buffer.take() {
            Some(buffer) => buffers.free.push_back((buffer, self.copied.take())),
            // It could not be made.
            None => buffers.made -= 1,
        }
        drop(buffers);
        self.staging.returned.notify_one();
    }
}

/// Slots of device memory that are filled in turn.
#[derive(Debug)]
pub struct UploadRing {
    copies: Stream,
    what: &'static str,
    staging: Arc<Staging>,
    slots: Vec<Slot>,
    next: usize,
}

#[derive(Debug)]
struct Slot {
    memory: DeviceBuffer<u8>,
    uploaded: Option<Arc<Event>>,
    used: Option<Event>,
}

/// What was sent last to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    slot: usize,
    bytes: usize,
}

impl UploadRing {
    /// A ring of `slots` slots, which grow as they must, and one more buffer than that. `what` they hold, for errors.
    ///
    /// # Errors
    /// If the driver refuses.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn new(gpu: &Arc<Gpu>, what: &'static str, slots: usize) -> Result<Self, DeviceError> {
        assert!(slots > 0, "a ring has slots");
        let copies = gpu.stream()?;
        let slots: Vec<Slot> = (0..slots)
            .map(|_| {
                Ok(Slot {
                    memory: copies.alloc(what, 0)?,
                    uploaded: None,
                    used: None,
                })
            })
            .collect::<Result<_, DeviceError>>()?;
        Ok(Self {
            staging: Staging::new(gpu, slots.len() + 1),
            copies,
            what,
            slots,
            next: 0,
        })
    }

    /// Where its buffers come from, for a thread that fills them ahead.
    #[must_use]
    pub fn staging(&self) -> &Arc<Staging> {
        &self.staging
    }

    /// Fills a buffer and sends it.
    ///
    /// # Errors
    /// As [`Staging::take`] and [`UploadRing::send_staged`].
    pub fn send(
        &mut self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Sent, DeviceError> {
        let mut staged = self.staging.take(bytes)?;
        fill(staged.bytes_mut());
        self.send_staged(staged)
    }

    /// Sends a buffer to the next slot, once the device is done with what that held.
    ///
    /// # Errors
    /// `OutOfMemory` if the slot must grow and cannot; if the device is lost.
    pub fn send_staged(&mut self, mut staged: Staged) -> Result<Sent, DeviceError> {
        let (index, bytes) = (self.next, staged.bytes);
        let slot = &mut self.slots[index];
        if let Some(used) = slot.used.take() {
            self.copies.wait(&used)?;
        }
        if slot.memory.len() < bytes {
            // The old memory goes first: the device need not hold both.
            slot.memory = self.copies.alloc(self.what, 0)?;
            slot.memory = self.copies.alloc(self.what, bytes)?;
        }
        let buffer = staged.buffer.as_ref().expect("held until it goes back");
        // SAFETY: the buffer is filled or freed only after `copied`, or, where that could not be recorded, after the synchronisation below.
        let sent = unsafe {
            self.copies
                .copy_in_pinned(buffer, bytes, &mut slot.memory.slice_mut(0..bytes))
        };
        let recorded = sent.and_then(|()| self.copies.record(false));
        let uploaded = match recorded {
            Ok(event) => Arc::new(event),
            Err(error) => {
                let _ = self.copies.synchronize();
                return Err(error);
            }
        };
        staged.copied = Some(uploaded.clone());
        slot.uploaded = Some(uploaded);
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
