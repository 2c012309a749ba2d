//! Bounds-checked reading and writing of bit fields.

/// The bits ended before a field did, or an Exp-Golomb code is longer than 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndOfBits;

/// A cursor over bits, most significant first.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    data: &'a [u8],
    /// Position in bits; never beyond the end of `data`.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    pub(crate) fn bits_left(&self) -> usize {
        self.data.len().saturating_mul(8).saturating_sub(self.position)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, EndOfBits> {
        let byte = self.data.get(self.position >> 3).ok_or(EndOfBits)?;
        let bit = byte << (self.position & 7) & 0x80;
        self.position = self.position.saturating_add(1);
        Ok(bit != 0)
    }

    /// The next `count` bits, 32 at most.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, EndOfBits> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// The next `count` bits, 8 at most.
    pub(crate) fn bits8(&mut self, count: u32) -> Result<u8, EndOfBits> {
        u8::try_from(self.bits(count)?).map_err(|_| EndOfBits)
    }

    /// Skips to the next byte boundary.
    pub(crate) fn align(&mut self) {
        self.position = self.position.saturating_add(7) & !7;
    }

    /// An unsigned Exp-Golomb code (H.264, 9.1).
    pub(crate) fn ue(&mut self) -> Result<u32, EndOfBits> {
        let mut zeros = 0_u32;
        while !self.flag()? {
            zeros = zeros.saturating_add(1);
            if zeros > 32 {
                return Err(EndOfBits);
            }
        }
        // After 32 zeros only the code 2^32 - 1 fits; the larger ones are refused below.
        let base = 1_u64.checked_shl(zeros).ok_or(EndOfBits)?;
        let code = base.saturating_add(u64::from(self.bits(zeros)?)).saturating_sub(1);
        u32::try_from(code).map_err(|_| EndOfBits)
    }

    /// A signed Exp-Golomb code (H.264, 9.1.1).
    pub(crate) fn se(&mut self) -> Result<i32, EndOfBits> {
        let code = i64::from(self.ue()?);
        let half = code.saturating_add(1) >> 1;
        let value = if code & 1 == 1 { half } else { half.saturating_neg() };
        i32::try_from(value).map_err(|_| EndOfBits)
    }
}

/// Bits appended to bytes, most significant first; the last byte is padded with zeros.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits used in the last byte, 0 (meaning all) to 7.
    used: u32,
}

impl BitWriter {
    /// Appends the low `count` bits of `value`, 32 at most.
    pub(crate) fn put(&mut self, count: u32, value: u32) {
        for shift in (0..count).rev() {
            self.flag(value.checked_shr(shift).unwrap_or(0) & 1 == 1);
        }
    }

    pub(crate) fn flag(&mut self, set: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if set && let Some(last) = self.bytes.last_mut() {
            *last |= 0x80 >> self.used;
        }
        self.used = self.used.wrapping_add(1) & 7;
    }

    pub(crate) fn align(&mut self) {
        self.used = 0;
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bits_across_bytes() {
        let mut bits = BitReader::new(&[0b1010_0110, 0b1100_0000]);
        assert_eq!(bits.bits(3), Ok(0b101));
        assert_eq!(bits.bits8(8), Ok(0b0011_0110));
        assert_eq!(bits.bits_left(), 5);
        assert_eq!(bits.bits(6), Err(EndOfBits));
    }

    #[test]
    fn aligns_to_the_next_byte() {
        let mut bits = BitReader::new(&[0xff, 0x01]);
        bits.align();
        assert_eq!(bits.bits_left(), 16);
        bits.flag().unwrap();
        bits.align();
        assert_eq!(bits.bits(8), Ok(1));
    }

    #[test]
    fn reads_exp_golomb_codes() {
        // 1, 010, 011, 00100, 00101 and so on: H.264, table 9-2.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        for code in 0..5 {
            assert_eq!(bits.ue(), Ok(code));
        }
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        for code in [0, 1, -1, 2, -2] {
            assert_eq!(bits.se(), Ok(code));
        }
    }

    #[test]
    fn refuses_codes_over_32_bits() {
        let mut most = vec![0, 0, 0, 0, 0x80, 0, 0, 0, 0];
        assert_eq!(BitReader::new(&most).ue(), Ok(u32::MAX));
        assert_eq!(BitReader::new(&most).se(), Err(EndOfBits));
        most[8] = 0x80;
        assert_eq!(BitReader::new(&most).ue(), Err(EndOfBits));
        assert_eq!(BitReader::new(&[0; 100]).ue(), Err(EndOfBits));
    }

    #[test]
    fn writes_what_it_reads() {
        let mut out = BitWriter::default();
        out.put(5, 2);
        out.put(4, 4);
        out.flag(true);
        out.align();
        out.put(8, 0x1ff);
        assert_eq!(out.into_bytes(), [0b0001_0010, 0b0100_0000, 0xff]);
    }
}
