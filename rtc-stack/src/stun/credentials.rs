//! The user name fragment and password of an ICE agent (RFC 8839, 5.4).

use std::fmt;
use std::ops::RangeInclusive;

use thiserror::Error;

/// Characters of a user name fragment.
const UFRAG: RangeInclusive<usize> = 4..=256;
/// Characters of a password.
const PASSWORD: RangeInclusive<usize> = 22..=256;
/// Characters that are made for a user name fragment, a prefix included where it leaves room.
const MADE_UFRAG: usize = 8;
/// Fewest characters made by chance, so that a long prefix doesn't make user names meet.
const LEAST_BY_CHANCE: usize = 4;
/// ICE allows `+` and `/` too, which mean something else in a query string.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Why credentials are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The user name fragment is too short or too long.
    #[error("ICE user name fragment of {length} characters, the limits are 4 and 256")]
    UfragLength {
        /// What was read.
        length: usize,
    },
    /// The password is too short or too long.
    #[error("ICE password of {length} characters, the limits are 22 and 256")]
    PasswordLength {
        /// What was read.
        length: usize,
    },
    /// A character is none of ICE (letters, digits, `+` and `/`), nor one of `-`, `=`, `#` and `_`, which some encoders
    /// have and browsers take from them.
    #[error("{character:?} in ICE credentials")]
    Character {
        /// What was read.
        character: char,
    },
}

/// The name and the secret of one side of an ICE session.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ufrag: String,
    password: String,
}

impl Credentials {
    /// Bytes of chance that [`from_entropy`](Self::from_entropy) takes.
    pub const ENTROPY: usize = 25;

    /// Checks credentials: 4 to 256 characters for the user name fragment, 22 to 256 for the password.
    pub fn new(ufrag: &str, password: &str) -> Result<Self, CredentialsError> {
        if !UFRAG.contains(&ufrag.len()) {
            return Err(CredentialsError::UfragLength { length: ufrag.len() });
        }
        if !PASSWORD.contains(&password.len()) {
            return Err(CredentialsError::PasswordLength { length: password.len() });
        }
        Self::check(ufrag)?;
        Self::check(password)?;
        Ok(Self { ufrag: ufrag.to_owned(), password: password.to_owned() })
    }

    /// Makes credentials: a user name fragment of 8 characters that begins with `prefix` (a longer one
    /// is followed by 4 characters), and a password of 32 characters, which hold 160 bits.
    ///
    /// `entropy` must be unpredictable, so it comes from the operating system and not from a small seed:
    /// who can guess the password can have the media sent elsewhere.
    pub fn from_entropy(
        prefix: &str,
        entropy: &[u8; Self::ENTROPY],
    ) -> Result<Self, CredentialsError> {
        let (name, secret) = entropy.split_at_checked(5).unwrap_or_default();
        let by_chance = MADE_UFRAG.saturating_sub(prefix.len()).max(LEAST_BY_CHANCE);
        let ufrag: String = prefix.chars().chain(letters(name).take(by_chance)).collect();
        Self::new(&ufrag, &letters(secret).collect::<String>())
    }

    /// The user name fragment.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }

    fn check(text: &str) -> Result<(), CredentialsError> {
        let is_known = |c: char| matches!(c, '+' | '/' | '-' | '=' | '#' | '_');
        let is_other = |c: &char| !(c.is_ascii_alphanumeric() || is_known(*c));
        match text.chars().find(is_other) {
            Some(character) => Err(CredentialsError::Character { character }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password has no place in a log.
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// Five bits a letter.
fn letters(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    bytes.chunks(5).flat_map(|chunk| {
        let bits = chunk.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8u32).rev().filter_map(move |at| {
            let index = bits.checked_shr(at.saturating_mul(5))? & 0x1f;
            ALPHABET.get(usize::try_from(index).ok()?).map(|letter| char::from(*letter))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_credentials_are_as_long_as_they_should_be() {
        let mut entropy = [0; Credentials::ENTROPY];
        fastrand::Rng::with_seed(1).fill(&mut entropy);
        let made = Credentials::from_entropy("", &entropy).unwrap();
        assert_eq!((made.ufrag().len(), made.password().len()), (8, 32));
        let made = Credentials::from_entropy("a3", &entropy).unwrap();
        assert!(made.ufrag().starts_with("a3") && made.ufrag().len() == 8);
        let made = Credentials::from_entropy("longprefix", &entropy).unwrap();
        assert_eq!(made.ufrag().len(), 14);
        assert!(Credentials::from_entropy("a:", &entropy).is_err());
    }

    #[test]
    fn every_bit_of_chance_is_used() {
        let base = Credentials::from_entropy("", &[0; 25]).unwrap();
        for bit in 0..200 {
            let mut entropy = [0; 25];
            entropy[bit / 8] = 1 << (bit % 8);
            assert_ne!(Credentials::from_entropy("", &entropy).unwrap(), base, "{bit}");
        }
    }

    #[test]
    fn lengths_and_characters_are_checked() {
        let password = "p".repeat(22);
        assert!(Credentials::new("abcd", &password).is_ok());
        assert!(Credentials::new("a+/9", &"p".repeat(256)).is_ok());
        assert!(Credentials::new("a=-#_", &format!("{password}==")).is_ok());
        assert_eq!(
            Credentials::new("abc", &password),
            Err(CredentialsError::UfragLength { length: 3 })
        );
        assert_eq!(
            Credentials::new(&"u".repeat(257), &password),
            Err(CredentialsError::UfragLength { length: 257 })
        );
        assert_eq!(
            Credentials::new("abcd", "short"),
            Err(CredentialsError::PasswordLength { length: 5 })
        );
        assert_eq!(
            Credentials::new("ab:d", &password),
            Err(CredentialsError::Character { character: ':' })
        );
        assert!(!format!("{:?}", Credentials::new("abcd", &password)).contains("ppp"));
    }
}
