//! Device memory, and views of it.

use core::marker::PhantomData;
use core::ops::Range;
use cudarc::driver::CudaSlice;

/// Values in device memory; freed in the order of the stream that it was allocated on.
#[derive(Debug)]
pub struct DeviceBuffer<T> {
    slice: CudaSlice<T>,
    ptr: u64,
    len: usize,
}

/// Values that may be read.
#[derive(Debug)]
pub struct DeviceView<'a, T> {
    ptr: u64,
    len: usize,
    of: PhantomData<&'a T>,
}

/// Values that may be written.
#[derive(Debug)]
pub struct DeviceViewMut<'a, T> {
    ptr: u64,
    len: usize,
    of: PhantomData<&'a mut T>,
}

impl<T> Clone for DeviceView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DeviceView<'_, T> {}

impl<T> DeviceBuffer<T> {
    pub(crate) fn new(slice: CudaSlice<T>, len: usize) -> Self {
        use cudarc::driver::DevicePtr;
        let ptr = {
            let stream = slice.stream().clone();
            // Events are not tracked, so there is nothing to wait for or to record.
            let (ptr, _sync) = slice.device_ptr(&stream);
            ptr
        };
        Self { slice, ptr, len }
    }

    /// Values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.slice.num_bytes()
    }

    /// All of it.
    #[must_use]
    pub fn view(&self) -> DeviceView<'_, T> {
        DeviceView {
            ptr: self.ptr,
            len: self.len,
            of: PhantomData,
        }
    }

    /// All of it, to be written.
    #[must_use]
    pub fn view_mut(&mut self) -> DeviceViewMut<'_, T> {
        DeviceViewMut {
            ptr: self.ptr,
            len: self.len,
            of: PhantomData,
        }
    }

    /// A part.
    ///
    /// # Panics
    /// If `range` is not inside.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> DeviceView<'_, T> {
        self.view().slice(range)
    }

    /// A part, to be written.
    ///
    /// # Panics
    /// If `range` is not inside.
    #[must_use]
    pub fn slice_mut(&mut self, range: Range<usize>) -> DeviceViewMut<'_, T> {
        self.view_mut().into_slice(range)
    }
}

impl<'a, T> DeviceView<'a, T> {
    /// Values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// Address in device memory.
    #[must_use]
    pub fn ptr(&self) -> u64 {
        self.ptr
    }

    /// A part.
    ///
    /// # Panics
    /// If `range` is not inside.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> DeviceView<'a, T> {
        inside(&range, self.len);
        DeviceView {
            ptr: self.ptr + (range.start * size_of::<T>()) as u64,
            len: range.len(),
            of: PhantomData,
        }
    }
}

impl<'a, T> DeviceViewMut<'a, T> {
    /// Values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    /// Address in device memory.
    #[must_use]
    pub fn ptr(&self) -> u64 {
        self.ptr
    }

    /// The same to be read.
    #[must_use]
    pub fn as_view(&self) -> DeviceView<'_, T> {
        DeviceView {
            ptr: self.ptr,
            len: self.len,
            of: PhantomData,
        }
    }

    /// The same for a shorter time.
    #[must_use]
    pub fn reborrow(&mut self) -> DeviceViewMut<'_, T> {
        DeviceViewMut {
            ptr: self.ptr,
            len: self.len,
            of: PhantomData,
        }
    }

    /// A part.
    ///
    /// # Panics
    /// If `range` is not inside.
    #[must_use]
    pub fn into_slice(self, range: Range<usize>) -> DeviceViewMut<'a, T> {
        inside(&range, self.len);
        DeviceViewMut {
            ptr: self.ptr + (range.start * size_of::<T>()) as u64,
            len: range.len(),
            of: PhantomData,
        }
    }
}

impl<'a> DeviceViewMut<'a, u8> {
    /// Bytes as values; what is left over at the end is left out.
    ///
    /// # Panics
    /// If the address is not aligned for `T`.
    #[must_use]
    pub fn into_values<T: cudarc::driver::ValidAsZeroBits>(self) -> DeviceViewMut<'a, T> {
        assert_eq!(self.ptr as usize % align_of::<T>(), 0, "alignment");
        DeviceViewMut {
            ptr: self.ptr,
            len: self.len / size_of::<T>(),
            of: PhantomData,
        }
    }
}

impl<'a> DeviceView<'a, u8> {
    /// Bytes as values; what is left over at the end is left out.
    ///
    /// # Panics
    /// If the address is not aligned for `T`.
    #[must_use]
    pub fn values<T: cudarc::driver::ValidAsZeroBits>(self) -> DeviceView<'a, T> {
        assert_eq!(self.ptr as usize % align_of::<T>(), 0, "alignment");
        DeviceView {
            ptr: self.ptr,
            len: self.len / size_of::<T>(),
            of: PhantomData,
        }
    }
}

fn inside(range: &Range<usize>, len: usize) {
    assert!(
        range.start <= range.end && range.end <= len,
        "{range:?} is not inside {len} values"
    );
}
