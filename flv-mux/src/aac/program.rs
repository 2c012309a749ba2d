//! The program config element: which channels there are, where no number says it.

use thiserror::Error;

use crate::bits::{BitReader, BitWriter, EndOfBits};

/// A program config element (ISO 14496-3, 4.4.1.1): the channels of channel configuration 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ProgramConfig {
    /// `element_instance_tag`, four bits.
    pub tag: u8,
    /// `object_type`, two bits.
    pub object_type: u8,
    /// `sampling_frequency_index`, four bits.
    pub sampling_index: u8,
    /// Elements in front, 15 at most.
    pub front: Vec<ChannelElement>,
    /// Elements at the sides, 15 at most.
    pub side: Vec<ChannelElement>,
    /// Elements at the back, 15 at most.
    pub back: Vec<ChannelElement>,
    /// Tags of low frequency elements, 3 at most.
    pub lfe: Vec<u8>,
    /// Tags of associated data elements, 7 at most.
    pub data: Vec<u8>,
    /// Coupling channel elements, 15 at most; `is_pair` says that they are independently switched.
    pub coupling: Vec<ChannelElement>,
    /// Tag of a mono mixdown element.
    pub mono_mixdown: Option<u8>,
    /// Tag of a stereo mixdown element.
    pub stereo_mixdown: Option<u8>,
    /// How to mix the back channels down.
    pub matrix_mixdown: Option<MatrixMixdown>,
    /// A comment, 255 bytes at most.
    pub comment: Vec<u8>,
}

/// One element of a [`ProgramConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelElement {
    /// Two channels rather than one.
    pub is_pair: bool,
    /// The element's tag, four bits.
    pub tag: u8,
}

/// How to mix the back channels of a [`ProgramConfig`] down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatrixMixdown {
    /// `matrix_mixdown_idx`, two bits.
    pub index: u8,
    /// `pseudo_surround_enable`.
    pub pseudo_surround: bool,
}

/// More elements, or a longer comment, than a program config element can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{count} {what} are over the limit of {limit} in a program config element")]
pub struct TooManyElements {
    /// What there is too much of.
    pub what: &'static str,
    /// How many there are.
    pub count: usize,
    /// What is allowed.
    pub limit: u8,
}

impl ProgramConfig {
    /// Channels of all elements, low frequency included, mixdowns and coupling not: 93 at most.
    pub fn channels(&self) -> usize {
        let in_elements: usize = [&self.front, &self.side, &self.back]
            .into_iter()
            .flatten()
            .map(|element| if element.is_pair { 2 } else { 1 })
            .sum();
        in_elements.saturating_add(self.lfe.len())
    }

    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self, EndOfBits> {
        let (tag, object_type, sampling_index) = (bits.bits8(4)?, bits.bits8(2)?, bits.bits8(4)?);
        let (front, side, back) = (bits.bits(4)?, bits.bits(4)?, bits.bits(4)?);
        let (lfe, data, coupling) = (bits.bits(2)?, bits.bits(3)?, bits.bits(4)?);
        let mono_mixdown = optional_tag(bits)?;
        let stereo_mixdown = optional_tag(bits)?;
        let matrix_mixdown = if bits.flag()? {
            Some(MatrixMixdown { index: bits.bits8(2)?, pseudo_surround: bits.flag()? })
        } else {
            None
        };
        Ok(Self {
            tag,
            object_type,
            sampling_index,
            front: elements(bits, front)?,
            side: elements(bits, side)?,
            back: elements(bits, back)?,
            lfe: tags(bits, lfe)?,
            data: tags(bits, data)?,
            coupling: elements(bits, coupling)?,
            mono_mixdown,
            stereo_mixdown,
            matrix_mixdown,
            comment: {
                bits.align();
                let len = bits.bits(8)?;
                (0..len).map(|_| bits.bits8(8)).collect::<Result<_, _>>()?
            },
        })
    }

    pub(super) fn put(&self, bits: &mut BitWriter) -> Result<(), TooManyElements> {
        let front = count("front elements", self.front.len(), 15)?;
        let side = count("side elements", self.side.len(), 15)?;
        let back = count("back elements", self.back.len(), 15)?;
        let lfe = count("low frequency elements", self.lfe.len(), 3)?;
        let data = count("data elements", self.data.len(), 7)?;
        let coupling = count("coupling elements", self.coupling.len(), 15)?;
        let comment = count("comment bytes", self.comment.len(), 255)?;
        bits.put(4, self.tag.into());
        bits.put(2, self.object_type.into());
        bits.put(4, self.sampling_index.into());
        for (width, count) in [(4, front), (4, side), (4, back), (2, lfe), (3, data), (4, coupling)]
        {
            bits.put(width, count);
        }
        for tag in [self.mono_mixdown, self.stereo_mixdown] {
            bits.flag(tag.is_some());
            if let Some(tag) = tag {
                bits.put(4, tag.into());
            }
        }
        bits.flag(self.matrix_mixdown.is_some());
        if let Some(matrix) = self.matrix_mixdown {
            bits.put(2, matrix.index.into());
            bits.flag(matrix.pseudo_surround);
        }
        put_elements(bits, self.front.iter().chain(&self.side).chain(&self.back));
        for &tag in self.lfe.iter().chain(&self.data) {
            bits.put(4, tag.into());
        }
        put_elements(bits, self.coupling.iter());
        bits.align();
        bits.put(8, comment);
        for &byte in &self.comment {
            bits.put(8, byte.into());
        }
        Ok(())
    }
}

fn optional_tag(bits: &mut BitReader<'_>) -> Result<Option<u8>, EndOfBits> {
    if bits.flag()? { bits.bits8(4).map(Some) } else { Ok(None) }
}

fn elements(bits: &mut BitReader<'_>, count: u32) -> Result<Vec<ChannelElement>, EndOfBits> {
    (0..count).map(|_| Ok(ChannelElement { is_pair: bits.flag()?, tag: bits.bits8(4)? })).collect()
}

fn tags(bits: &mut BitReader<'_>, count: u32) -> Result<Vec<u8>, EndOfBits> {
    (0..count).map(|_| bits.bits8(4)).collect()
}

fn put_elements<'a>(bits: &mut BitWriter, elements: impl Iterator<Item = &'a ChannelElement>) {
    for element in elements {
        bits.flag(element.is_pair);
        bits.put(4, element.tag.into());
    }
}

fn count(what: &'static str, count: usize, limit: u8) -> Result<u32, TooManyElements> {
    if count > limit.into() {
        return Err(TooManyElements { what, count, limit });
    }
    Ok(u32::try_from(count).unwrap_or(limit.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(tag: u8) -> ChannelElement {
        ChannelElement { is_pair: true, tag }
    }

    #[test]
    fn encodes_and_decodes_every_field() {
        let program = ProgramConfig {
            tag: 3,
            object_type: 1,
            sampling_index: 4,
            front: vec![ChannelElement { is_pair: false, tag: 0 }, pair(0)],
            side: vec![pair(1)],
            back: vec![pair(2)],
            lfe: vec![0],
            data: vec![7, 8],
            coupling: vec![pair(15)],
            mono_mixdown: Some(4),
            stereo_mixdown: Some(5),
            matrix_mixdown: Some(MatrixMixdown { index: 2, pseudo_surround: true }),
            comment: b"7.1".to_vec(),
        };
        assert_eq!(program.channels(), 8);
        let mut out = BitWriter::default();
        program.put(&mut out).unwrap();
        let bytes = out.into_bytes();
        assert_eq!(ProgramConfig::read(&mut BitReader::new(&bytes)), Ok(program));
        for len in 0..bytes.len() {
            assert_eq!(ProgramConfig::read(&mut BitReader::new(&bytes[..len])), Err(EndOfBits));
        }
    }

    #[test]
    fn refuses_to_write_too_many() {
        let mut out = BitWriter::default();
        let program = ProgramConfig { lfe: vec![0; 4], ..ProgramConfig::default() };
        let error = TooManyElements { what: "low frequency elements", count: 4, limit: 3 };
        assert_eq!(program.put(&mut out), Err(error));
        let program = ProgramConfig { comment: vec![0; 256], ..ProgramConfig::default() };
        let error = TooManyElements { what: "comment bytes", count: 256, limit: 255 };
        assert_eq!(program.put(&mut out), Err(error));
        assert!(out.into_bytes().is_empty());
    }
}
