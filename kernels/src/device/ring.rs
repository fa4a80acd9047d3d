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
//!
//! Both go back when they are dropped, so also when work is given up half-way: a [`Staged`] buffer to whoever fills the next one, the slot of
//! what was [`Sent`] to whatever is sent next, once the device is done with what it was given until then.

use super::buffer::{DeviceBuffer, DeviceView};
use super::error::DeviceError;
use super::gpu::Gpu;
use super::pinned::Pinned;
use super::stream::{Event, Stream};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

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

    /// Buffers that somebody holds.
    #[must_use]
    pub fn held(&self) -> usize {
        let buffers = self.buffers();
        buffers.made - buffers.free.len()
    }

    /// Bytes of the buffers that nobody holds: all of them, between one piece of work and the next.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let buffers = self.buffers();
        buffers.free.iter().map(|(b, _)| b.bytes().len()).sum()
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
    use_of_it: Option<Arc<Use>>,
}

/// Use of what was sent to a slot.
#[derive(Debug)]
struct Use {
    compute: Stream,
    /// After the last work that reads it.
    over: OnceLock<Event>,
}

/// What was sent last to a slot. The slot is in use until this is dropped, by then with everything that reads it given to the device.
#[derive(Debug)]
#[must_use = "a slot is in use until this is dropped"]
pub struct Sent {
    slot: usize,
    bytes: usize,
    use_of_it: Arc<Use>,
}

impl Use {
    /// Lets later work of `copies` come after it.
    fn wait(&self, copies: &Stream) -> Result<(), DeviceError> {
        match self.over.get() {
            Some(event) => copies.wait(event),
            // Somebody still holds what was sent, or the event could not be had: after all that was given so far.
            None => copies.wait(&self.compute.record(false)?),
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Ok(event) = self.use_of_it.compute.record(false) {
            let _ = self.use_of_it.over.set(event);
        }
    }
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
                    use_of_it: None,
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

    /// Slots that hold what somebody may still give work to read.
    #[must_use]
    pub fn slots_in_use(&self) -> usize {
        let in_use = |slot: &&Slot| {
            let use_of_it = slot.use_of_it.as_ref();
            use_of_it.is_some_and(|use_of_it| use_of_it.over.get().is_none())
        };
        self.slots.iter().filter(in_use).count()
    }

    /// Fills a buffer and sends it.
    ///
    /// # Errors
    /// As [`Staging::take`] and [`UploadRing::send_staged`].
    pub fn send(
        &mut self,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
        compute: &Stream,
    ) -> Result<Sent, DeviceError> {
        let mut staged = self.staging.take(bytes)?;
        fill(staged.bytes_mut());
        self.send_staged(staged, compute)
    }

    /// Sends a buffer to the next slot, once the device is done with what that held; later work of `compute` sees it.
    ///
    /// # Errors
    /// `OutOfMemory` if the slot must grow and cannot; if the device is lost.
    pub fn send_staged(
        &mut self,
        mut staged: Staged,
        compute: &Stream,
    ) -> Result<Sent, DeviceError> {
        let (index, bytes) = (self.next, staged.bytes);
        let slot = &mut self.slots[index];
        if let Some(use_of_it) = &slot.use_of_it {
            use_of_it.wait(&self.copies)?;
        }
        slot.use_of_it = None;
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
        compute.wait(&uploaded)?;
        let use_of_it = Arc::new(Use {
            compute: compute.clone(),
            over: OnceLock::new(),
        });
        slot.use_of_it = Some(use_of_it.clone());
        self.next = (index + 1) % self.slots.len();
        Ok(Sent {
            slot: index,
            bytes,
            use_of_it,
        })
    }

    /// What was sent, in device memory.
    ///
    /// # Panics
    /// If its slot has been filled again.
    #[must_use]
    pub fn view(&self, sent: &Sent) -> DeviceView<'_, u8> {
        let slot = &self.slots[sent.slot];
        let held = slot.use_of_it.as_ref();
        assert!(
            held.is_some_and(|held| Arc::ptr_eq(held, &sent.use_of_it)),
            "the slot was filled again"
        );
        slot.memory.slice(0..sent.bytes)
    }
}

impl Drop for UploadRing {
    fn drop(&mut self) {
        // Memory is freed in the order of the copies, which comes after the last use. A lost device has nothing to wait for.
        for use_of_it in self.slots.iter().filter_map(|slot| slot.use_of_it.as_ref()) {
            let _ = use_of_it.wait(&self.copies);
        }
        let _ = self.copies.synchronize();
    }
}
