//! Instructions that make an object of another one's content: copies of parts of it, and new bytes.

use super::super::error::PackError;

/// Lengths of base and result, at a delta's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) base: u64,
    pub(super) result: u64,
}

impl Head {
    /// Two numbers of 64 bits.
    pub(super) const BYTES_MAX: usize = 20;

    /// The head, and how long it is itself.
    pub(super) fn parse(bytes: &[u8]) -> Option<(Head, usize)> {
        let (base, first) = number(bytes)?;
        let (result, second) = number(&bytes[first..])?;
        Some((Head { base, result }, first + second))
    }
}

fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Where copies come from and where all goes to.
pub(super) trait Target {
    /// Appends `len` bytes of the base, which has them.
    fn copy(&mut self, offset: u64, len: u64) -> Result<(), PackError>;
    /// Appends new bytes.
    fn insert(&mut self, bytes: &[u8]) -> Result<(), PackError>;
}

/// Follows instructions as they come, in parts of any length.
pub(super) struct Follower {
    /// Of the delta in the pack, for messages.
    offset: u64,
    base: u64,
    result: u64,
    made: u64,
    /// What was not understood yet: less than one instruction.
    carry: Vec<u8>,
    head_is_read: bool,
}

impl Follower {
    /// For a base of this length.
    pub(super) fn new(offset: u64, base: u64, result: u64) -> Follower {
        Follower {
            offset,
            base,
            result,
            made: 0,
            carry: Vec::new(),
            head_is_read: false,
        }
    }

    pub(super) fn push(&mut self, part: &[u8], target: &mut dyn Target) -> Result<(), PackError> {
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(part);
        let mut at = 0;
        while let Some(taken) = self.step(&carry[at..], target)? {
            at += taken;
        }
        carry.drain(..at);
        self.carry = carry;
        Ok(())
    }

    /// After the last part.
    pub(super) fn finish(&self) -> Result<(), PackError> {
        if !self.carry.is_empty() || !self.head_is_read {
            return Err(self.malformed("a delta ends in the middle of an instruction"));
        }
        if self.made != self.result {
            return Err(self.malformed("a delta makes less than it says"));
        }
        Ok(())
    }

    /// Follows one instruction, and says how long it was; `None` where more of it has to come.
    fn step(&mut self, bytes: &[u8], target: &mut dyn Target) -> Result<Option<usize>, PackError> {
        if !self.head_is_read {
            return match Head::parse(bytes) {
                None if bytes.len() >= Head::BYTES_MAX => {
                    Err(self.malformed("a delta does not say how long it is"))
                }
                None => Ok(None),
                Some((head, _)) if head.base != self.base || head.result != self.result => {
                    Err(self.malformed("a delta is for a base of another length"))
                }
                Some((_, taken)) => {
                    self.head_is_read = true;
                    Ok(Some(taken))
                }
            };
        }
        let Some(&code) = bytes.first() else {
            return Ok(None);
        };
        if code == 0 {
            return Err(self.malformed("a delta has an instruction that is reserved"));
        }
        if code & 0x80 == 0 {
            let len = usize::from(code);
            let Some(new) = bytes.get(1..=len) else {
                return Ok(None);
            };
            self.count(len as u64)?;
            target.insert(new)?;
            return Ok(Some(1 + len));
        }
        let taken = 1 + (code & 0x7f).count_ones() as usize;
        let Some(arguments) = bytes.get(1..taken) else {
            return Ok(None);
        };
        let mut arguments = arguments.iter();
        let mut field = |bits: std::ops::Range<u32>| {
            let first = bits.start;
            bits.filter(|bit| code >> bit & 1 == 1)
                .fold(0u64, |value, bit| {
                    let byte = arguments.next().copied().unwrap_or_default();
                    value | u64::from(byte) << (8 * (bit - first))
                })
        };
        let offset = field(0..4);
        let len = match field(4..7) {
            0 => 0x10000,
            len => len,
        };
        if offset.checked_add(len).is_none_or(|end| end > self.base) {
            return Err(self.malformed("a delta copies from behind its base's end"));
        }
        self.count(len)?;
        target.copy(offset, len)?;
        Ok(Some(taken))
    }

    fn count(&mut self, len: u64) -> Result<(), PackError> {
        self.made += len;
        if self.made > self.result {
            return Err(self.malformed("a delta makes more than it says"));
        }
        Ok(())
    }

    fn malformed(&self, reason: &'static str) -> PackError {
        PackError::Malformed {
            offset: self.offset,
            reason,
        }
    }
}
