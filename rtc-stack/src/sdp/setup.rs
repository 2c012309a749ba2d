use super::SdpError;

/// Who speaks first, as `a=setup` says it (RFC 4145, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// This side speaks first.
    Active,
    /// The other side speaks first.
    Passive,
    /// Whichever the answer chooses.
    Actpass,
}

impl Setup {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
        }
    }

    pub(super) fn parse(value: &str) -> Result<Self, SdpError> {
        match value {
            "active" => Ok(Self::Active),
            "passive" => Ok(Self::Passive),
            "actpass" => Ok(Self::Actpass),
            _ => Err(SdpError::value("setup", value)),
        }
    }
}
