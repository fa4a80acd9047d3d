//! One compressed object, of exactly the length that it claims.

use flate2::{Decompress, FlushDecompress, Status};

use super::super::error::PackError;
use super::source::Source;

/// Decompresses one object after the other.
#[derive(Debug)]
pub(super) struct Inflater {
    state: Decompress,
    out: Vec<u8>,
}

impl Inflater {
    pub(super) fn new() -> Inflater {
        Inflater {
            state: Decompress::new(true),
            out: vec![0; 64 << 10],
        }
    }

    /// Gives `size` bytes to `sink`, and leaves the source behind the object.
    pub(super) fn inflate(
        &mut self,
        source: &mut Source,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        self.state.reset(true);
        loop {
            let offset = source.offset();
            let malformed = |reason| PackError::Malformed { offset, reason };
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(source.fill()?, &mut self.out, FlushDecompress::None)
                .map_err(|_| malformed("an object does not decompress"))?;
            let taken = (self.state.total_in() - before_in) as usize;
            let made = (self.state.total_out() - before_out) as usize;
            source.consume(taken);
            if self.state.total_out() > size {
                return Err(malformed("an object is longer than it says"));
            }
            if made > 0 {
                sink(&self.out[..made])?;
            }
            if status == Status::StreamEnd {
                break;
            }
            if taken == 0 && made == 0 {
                return Err(malformed("an object is cut off"));
            }
        }
        if self.state.total_out() < size {
            return Err(PackError::Malformed {
                offset: source.offset(),
                reason: "an object is shorter than it says",
            });
        }
        Ok(())
    }
}
