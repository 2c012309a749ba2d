//! Bounds-checked reading of big-endian fields.

use nom::{
    IResult, Parser,
    bytes::complete::take,
    number::complete::{be_u8, be_u16, be_u24, be_u32},
};
use thiserror::Error;

/// A structure ended before one of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} needs {needed} bytes, {got} left")]
pub struct Truncated {
    /// The field that was being read.
    pub what: &'static str,
    /// Bytes the field takes.
    pub needed: usize,
    /// Bytes that were left for it.
    pub got: usize,
}

/// A cursor over one structure's bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The bytes not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Truncated> {
        self.read(be_u8, 1, what)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Truncated> {
        self.read(be_u16, 2, what)
    }

    pub(crate) fn u24(&mut self, what: &'static str) -> Result<u32, Truncated> {
        self.read(be_u24, 3, what)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Truncated> {
        self.read(be_u32, 4, what)
    }

    /// A signed 24-bit number, sign-extended.
    pub(crate) fn i24(&mut self, what: &'static str) -> Result<i32, Truncated> {
        Ok(sign_extend_24(self.u24(what)?))
    }

    pub(crate) fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Truncated> {
        self.read(take(len), len, what)
    }

    fn read<T>(
        &mut self,
        mut parser: impl Parser<&'a [u8], Output = T, Error = ()>,
        needed: usize,
        what: &'static str,
    ) -> Result<T, Truncated> {
        let read: IResult<&'a [u8], T, ()> = parser.parse(self.rest);
        match read {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(Truncated { what, needed, got: self.rest.len() }),
        }
    }
}

/// The low 24 bits as a signed number.
const fn sign_extend_24(value: u32) -> i32 {
    ((value << 8).cast_signed()) >> 8
}

/// The three wire bytes of the low 24 bits.
pub(crate) const fn be_24(value: u32) -> [u8; 3] {
    let [_, a, b, c] = value.to_be_bytes();
    [a, b, c]
}

/// Declares an enumeration of wire values that keeps the unknown ones.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A value without a name here, kept as it was read.
            Other(u8),
        }

        impl $name {
            /// The value of a field on the wire.
            pub const fn from_wire(value: u8) -> Self {
                match value {
                    $($value => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// The field's value on the wire.
            pub const fn to_wire(self) -> u8 {
                match self {
                    $(Self::$variant => $value,)+
                    Self::Other(other) => other,
                }
            }
        }
    };
}
pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_big_endian_fields_in_turn() {
        let mut reader = Reader::new(&[1, 0x02, 0x03, 4, 5, 6, 7, 8, 9, 10, 0xff, 0xff, 0xfe, 11]);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(0x0203));
        assert_eq!(reader.u24("c"), Ok(0x04_0506));
        assert_eq!(reader.u32("d"), Ok(0x0708_090a));
        assert_eq!(reader.i24("e"), Ok(-2));
        assert_eq!(reader.bytes(1, "f"), Ok(&[11][..]));
        assert!(reader.rest().is_empty());
    }

    #[test]
    fn a_short_read_names_the_field_and_consumes_nothing() {
        let mut reader = Reader::new(&[1, 2]);
        let error = reader.u24("composition time").unwrap_err();
        assert_eq!(error, Truncated { what: "composition time", needed: 3, got: 2 });
        assert_eq!(error.to_string(), "composition time needs 3 bytes, 2 left");
        assert_eq!(reader.rest(), [1, 2]);
    }

    #[test]
    fn sign_extends_at_the_24th_bit() {
        assert_eq!(sign_extend_24(0x7f_ffff), 8_388_607);
        assert_eq!(sign_extend_24(0x80_0000), -8_388_608);
        assert_eq!(be_24((-8_388_608_i32).cast_unsigned()), [0x80, 0, 0]);
    }
}
